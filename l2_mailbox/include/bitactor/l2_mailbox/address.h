// Who a message goes to: actor ids, and the addresses that sends take.
#ifndef BITACTOR_L2_MAILBOX_ADDRESS_H_
#define BITACTOR_L2_MAILBOX_ADDRESS_H_

#include <cstdint>

namespace bitactor {

// Identifies an endpoint (an actor, a served mailbox) within one fabric, for good when its name is
// journalled. 0 is the runtime itself. Ids with the top bit set are outside ports, which only
// receive replies.
enum class ActorId : uint32_t {};

inline constexpr uint32_t kPortIdBit = uint32_t{1} << 31;
constexpr bool IsPort(ActorId id) { return (static_cast<uint32_t>(id) & kPortIdBit) != 0; }

// Where to send: made once from a name by Fabric::Intern(), or received in a message. 8 bytes, may
// travel in messages.
struct Address {
  ActorId id{0};
  uint8_t generation = 0;  // of the id; a message to an older one is dead-lettered
  uint8_t unused[3] = {};

  friend bool operator==(const Address& a, const Address& b) {
    return a.id == b.id && a.generation == b.generation;
  }
};
static_assert(sizeof(Address) == 8);

}  // namespace bitactor

#endif  // BITACTOR_L2_MAILBOX_ADDRESS_H_
