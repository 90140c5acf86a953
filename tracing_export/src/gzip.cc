#include "gzip.h"

#include <zlib.h>

#include <limits>

#include "bitactor/l1_core/check.h"

namespace bitactor::internal {

std::string Gzip(std::string_view text) {
  constexpr int kGzipFormat = 16;
  BITACTOR_CHECK(text.size() <= std::numeric_limits<uInt>::max());
  z_stream stream{};
  BITACTOR_CHECK_EQ(deflateInit2(&stream, Z_BEST_SPEED, Z_DEFLATED, MAX_WBITS + kGzipFormat, 8,
                                 Z_DEFAULT_STRATEGY),
                    Z_OK);
  std::string out(deflateBound(&stream, static_cast<uLong>(text.size())), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  BITACTOR_CHECK_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

}  // namespace bitactor::internal
