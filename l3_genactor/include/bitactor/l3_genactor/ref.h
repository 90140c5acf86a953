// A typed address of an actor.
#ifndef BITACTOR_L3_GENACTOR_REF_H_
#define BITACTOR_L3_GENACTOR_REF_H_

#include <type_traits>

#include "bitactor/l2_mailbox/address.h"

namespace bitactor {

// 8 bytes, may travel in messages and be kept in an actor's state. `A` may be incomplete.
template <typename A>
struct Ref {
  Address address;

  friend bool operator==(const Ref& a, const Ref& b) { return a.address == b.address; }
};

namespace internal {

// Whether M is a request: it declares the type of its answer as `using Reply = ...`.
template <typename M, typename = void>
inline constexpr bool kHasReply = false;
template <typename M>
inline constexpr bool kHasReply<M, std::void_t<typename M::Reply>> = true;

// The answer that M declares. Of a message without one it is a stand-in: the call is declared, and
// CheckCall() says what is wrong with it.
struct NoReply {};
template <typename M, bool kDeclared = kHasReply<M>>
struct ReplyType {
  using type = typename M::Reply;
};
template <typename M>
struct ReplyType<M, false> {
  using type = NoReply;
};
template <typename M>
using ReplyOf = typename ReplyType<M>::type;

// In bodies, not as constraints: actors that send to each other are incomplete where they are
// declared.
template <typename A, typename M>
constexpr void CheckCast() {
  static_assert(
      !kHasReply<M>,
      "Cast of a request: this message declares a Reply, so somebody must wait for it; use Call");
  static_assert(
      A::template kHandles<M>,
      "this actor does not handle this message: it is not in its Actor<Self, Messages...> list");
}
template <typename A, typename M>
constexpr void CheckCall() {
  static_assert(
      kHasReply<M>,
      "Call of a message without an answer: declare `using Reply = ...;` in it, or use Cast");
  static_assert(
      A::template kHandles<M>,
      "this actor does not handle this message: it is not in its Actor<Self, Messages...> list");
}

}  // namespace internal
}  // namespace bitactor

#endif  // BITACTOR_L3_GENACTOR_REF_H_
