// Messages of a given size, for rows that send them.
#ifndef BITACTOR_BENCH_PAYLOAD_H_
#define BITACTOR_BENCH_PAYLOAD_H_

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace bitactor::bench {

template <size_t kBytes>
struct Payload {
  static constexpr std::string_view kTypeName = kBytes == 16   ? "bench::Payload16"
                                                : kBytes == 64 ? "bench::Payload64"
                                                               : "bench::Payload128";
  uint64_t words[kBytes / 8];
};

}  // namespace bitactor::bench

#endif  // BITACTOR_BENCH_PAYLOAD_H_
