// The name and the 32-bit id under which a message type is known in frames and journals.
#ifndef BITACTOR_L1_CORE_TYPE_NAME_H_
#define BITACTOR_L1_CORE_TYPE_NAME_H_

#include <array>
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <type_traits>

#include "bitactor/l1_core/frame.h"

namespace bitactor {
namespace internal {

// The compiler's spelling of the type, somewhere inside a longer text.
template <typename BitactorNamed>
constexpr std::string_view PrettyFunction() {
  return __PRETTY_FUNCTION__;
}

// g++: "[with BitactorNamed = a::B; std::string_view = ...]", clang: "[BitactorNamed = a::B]".
template <typename M>
constexpr std::string_view CompilerTypeName() {
  constexpr std::string_view kMark = "BitactorNamed = ";
  const std::string_view text = PrettyFunction<M>();
  const size_t begin = text.find(kMark) + kMark.size();
  return text.substr(begin, text.find_first_of(";]", begin) - begin);
}

inline constexpr std::string_view kGccAnonymous = "{anonymous}";
inline constexpr std::string_view kAnonymous = "(anonymous namespace)";

// Same letters from both compilers: what g++ calls {anonymous} becomes clang's word.
template <size_t kCapacity>
struct CanonicalName {
  std::array<char, kCapacity> letters{};
  size_t size = 0;
  bool portable = true;  // named, not a template, not local (as far as the compiler tells)

  constexpr void Append(std::string_view part) {
    for (const char c : part) letters[size++] = c;
  }
  constexpr std::string_view view() const { return {letters.data(), size}; }
};

constexpr size_t kMaxAnonymousDepth = 8;

template <typename M>
constexpr auto MakeCanonicalName() {
  constexpr std::string_view kRaw = CompilerTypeName<M>();
  CanonicalName<kRaw.size() + kMaxAnonymousDepth * kAnonymous.size()> name;
  for (std::string_view rest = kRaw; !rest.empty();) {
    if (rest.starts_with(kGccAnonymous) || rest.starts_with(kAnonymous)) {
      rest.remove_prefix(rest.starts_with(kAnonymous) ? kAnonymous.size() : kGccAnonymous.size());
      name.Append(kAnonymous);
    } else {
      // A template shows '<', a type of a function '(', an unnamed one '<' or '('.
      if (rest[0] == '<' || rest[0] == '(' || rest[0] == '{') name.portable = false;
      name.Append(rest.substr(0, 1));
      rest.remove_prefix(1);
    }
  }
  return name;
}
template <typename M>
inline constexpr auto kCanonicalName = MakeCanonicalName<M>();

template <typename M>
concept DeclaresTypeName = requires {
  { M::kTypeName } -> std::convertible_to<std::string_view>;
};
template <typename M>
concept DeclaresTypeVersion = requires {
  { M::kTypeVersion } -> std::convertible_to<uint32_t>;
};

// Arithmetic types are named by kind and width: `long` and `long long` are one type on the wire.
template <typename M>
constexpr std::string_view ArithmeticName() {
  constexpr std::string_view kSigned[] = {"int8", "int16", "int32", "int64", "int128"};
  constexpr std::string_view kUnsigned[] = {"uint8", "uint16", "uint32", "uint64", "uint128"};
  constexpr std::string_view kFloat[] = {"float32", "float64"};
  if constexpr (std::is_void_v<M>) {
    return "void";
  } else if constexpr (std::is_same_v<M, bool>) {
    return "bool";
  } else if constexpr (std::is_floating_point_v<M>) {
    static_assert(sizeof(M) <= 8, "long double has no portable format: send a double");
    return kFloat[sizeof(M) / 8];
  } else {
    constexpr int kIndex = std::countr_zero(sizeof(M));
    return std::is_signed_v<M> ? kSigned[kIndex] : kUnsigned[kIndex];
  }
}

}  // namespace internal

// M::kTypeName if declared, else the qualified C++ name, the same from g++ and clang for a type
// with a name of its own at namespace or class scope. A template or unnamed type does not compile
// without kTypeName. A type inside a function is refused by g++ alone (clang hides where it
// stands), and cannot declare a kTypeName either: move it out of the function. Declare kTypeName
// also in an inline namespace (the compilers differ) and before renaming a type that journals
// already hold. `void` and arithmetic types, which replies may be, are named by kind and width:
// "void", "bool", "int64".
template <typename M>
constexpr std::string_view TypeName() {
  static_assert(std::is_same_v<M, std::remove_cvref_t<M>>, "name the type without const and &");
  if constexpr (std::is_void_v<M> || std::is_arithmetic_v<M>) {
    return internal::ArithmeticName<M>();
  } else if constexpr (std::is_enum_v<M>) {
    static_assert(internal::kCanonicalName<M>.portable,
                  "this enum has no portable name: move it to namespace scope");
    return internal::kCanonicalName<M>.view();
  } else if constexpr (internal::DeclaresTypeName<M>) {
    static_assert(!std::string_view(M::kTypeName).empty(), "kTypeName is empty");
    return M::kTypeName;
  } else {
    static_assert(std::is_class_v<M> || std::is_union_v<M>,
                  "only values travel: no pointer, no array");
    static_assert(
        internal::kCanonicalName<M>.portable,
        "this type has no portable name (it is a template, unnamed, or inside a function): "
        "declare `static constexpr std::string_view kTypeName` in it");
    return internal::kCanonicalName<M>.view();
  }
}

// M::kTypeVersion if declared, else 1. Raise it when the layout changes.
template <typename M>
constexpr uint32_t TypeVersion() {
  if constexpr (internal::DeclaresTypeVersion<M>) {
    return M::kTypeVersion;
  } else {
    return 1;
  }
}

namespace internal {
constexpr uint32_t HashTypeName(std::string_view name, uint32_t version) {
  uint64_t hash = 0xCBF29CE484222325ull;  // FNV-1a over the name, then the version
  for (const char c : name) hash = (hash ^ static_cast<uint8_t>(c)) * 0x100000001B3ull;
  hash = Mix64(hash ^ (static_cast<uint64_t>(version) << 32));
  const auto id = static_cast<uint32_t>(hash ^ (hash >> 32));
  return id != 0 ? id : 1;
}
}  // namespace internal

// What FrameHeader::type holds: a hash of name and version, the same in every build, never 0. Two
// types may share one; whoever registers types compares their names and refuses.
template <typename M>
constexpr uint32_t TypeId() {
  return internal::HashTypeName(TypeName<M>(), TypeVersion<M>());
}

}  // namespace bitactor

#endif  // BITACTOR_L1_CORE_TYPE_NAME_H_
