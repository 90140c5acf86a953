// L2: payloads over 128 bytes, filled in place and never copied on their way.
#include <cstddef>
#include <cstdio>
#include <span>

#include "bitactor/l2_mailbox/fabric.h"

using namespace bitactor;

// [sending]
struct Picture {  // what the bytes are: a name, nothing else
  static constexpr std::string_view kTypeName = "shop::Picture";
};

static void Render(std::span<std::byte> pixels) {
  for (size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<std::byte>(i);
}

static bool SendPicture(Port& port, Address store, size_t size_bytes) {
  absl::StatusOr<Block> block = port.NewBlock(size_bytes);
  if (!block.ok()) return false;  // its status says how much is in use, and what is possible
  Render(block->bytes());
  const SharedBlock picture = block->Seal();  // from here on nobody changes it
  return port.SendBlock<Picture>(store, picture) == SendResult::kOk;
}
// [sending]

int main() {
  auto started = Fabric::Start({.shards = 2});
  if (!started.ok()) return std::fprintf(stderr, "%s\n", started.status().ToString().c_str()), 1;
  auto fabric = *std::move(started);

  size_t stored = 0;  // the store's shard alone writes it
  const Address store = fabric->Serve("store", [&stored](const Message& m, Sender&) {
    if (m.IsBytes<Picture>()) stored += m.bytes().size();
  });
  const Address gate = fabric->Serve(
      "gate", [store](const Message& m, Sender& out) { out.Forward(store, m); });  // the same block

  Port port = fabric->OpenPort();
  if (!SendPicture(port, gate, 1 << 20)) return 1;
  const std::byte icon[64] = {};
  if (port.SendBytes<Picture>(gate, icon) != SendResult::kOk) return 1;  // short ones in the frame
  fabric->WaitIdle();
  std::printf("stored %zu bytes, %llu blocks in use\n", stored,
              static_cast<unsigned long long>(fabric->Blocks().in_use));
  return stored == (1 << 20) + 64 && fabric->Blocks().in_use == 0 ? 0 : 1;
}
