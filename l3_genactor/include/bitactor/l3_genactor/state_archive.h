// An actor's state as bytes, and back: what a snapshot keeps.
#ifndef BITACTOR_L3_GENACTOR_STATE_ARCHIVE_H_
#define BITACTOR_L3_GENACTOR_STATE_ARCHIVE_H_

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <ranges>
#include <span>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "bitactor/l1_core/frame.h"
#include "bitactor/l3_genactor/digest.h"

namespace bitactor {

// Threads: one at a time.
class StateWriter {
 public:
  void AddBytes(const void* data, size_t size_bytes) {
    const auto* bytes = static_cast<const std::byte*>(data);
    bytes_.insert(bytes_.end(), bytes, bytes + size_bytes);
  }
  template <typename T>
  void Add(const T& value);

  std::vector<std::byte> Take() { return std::move(bytes_); }

 private:
  std::vector<std::byte> bytes_;
};

// Reads in the order of the writing. After the first read that finds too little every other fails
// too.
//
// Threads: one at a time.
// Ownership: the bytes outlive it.
class StateReader {
 public:
  explicit StateReader(std::span<const std::byte> bytes) : bytes_(bytes) {}

  bool ReadBytes(void* to, size_t size_bytes) {
    if (failed_ || bytes_.size() < size_bytes) {
      failed_ = true;
      return false;
    }
    if (size_bytes > 0) std::memcpy(to, bytes_.data(), size_bytes);
    bytes_ = bytes_.subspan(size_bytes);
    return true;
  }
  template <typename T>
  bool Read(T& value);
  void Fail() { failed_ = true; }

  size_t left_bytes() const { return bytes_.size(); }
  // Nothing was missing and nothing is left.
  bool AtEnd() const { return !failed_ && bytes_.empty(); }
  bool failed() const { return failed_; }

 private:
  std::span<const std::byte> bytes_;
  bool failed_ = false;
};

namespace internal {

template <typename T>
concept ArchivesItself = requires(const T& saved, T& loaded, StateWriter& writer,
                                  StateReader& reader) {
  saved.Save(writer);
  loaded.Load(reader);
};

template <typename T>
struct ElementOf {
  using type = T;
};
// What a map hands out cannot be read into: its key is const.
template <typename K, typename V>
struct ElementOf<std::pair<const K, V>> {
  using type = std::pair<K, V>;
};

template <typename T>
concept GrowingContainer = requires(T& container,
                                    typename ElementOf<typename T::value_type>::type element) {
  container.clear();
  container.insert(container.end(), std::move(element));
};

template <typename T>
constexpr bool IsArchivable();

template <typename Tuple, size_t... kIndex>
constexpr bool AreArchivable(std::index_sequence<kIndex...>) {
  return (IsArchivable<std::remove_cvref_t<std::tuple_element_t<kIndex, Tuple>>>() && ...);
}
template <typename Tuple, size_t... kIndex>
constexpr bool AreReferences(std::index_sequence<kIndex...>) {
  return (std::is_lvalue_reference_v<std::tuple_element_t<kIndex, Tuple>> && ...);
}
template <typename Tuple>
using IndexesOf = std::make_index_sequence<std::tuple_size_v<Tuple>>;

template <typename T>
concept StateOfReferences =
    DeclaresState<T> && TupleLike<decltype(std::declval<const T&>().State())>;

// Whether all that the digest is made of can be written and read back.
template <typename T>
constexpr bool IsArchivable() {
  if constexpr (ArchivesItself<T>) {
    return true;
  } else if constexpr (DigestsItself<T>) {
    return false;
  } else if constexpr (DeclaresState<T>) {
    if constexpr (StateOfReferences<T>) {
      using Tuple = decltype(std::declval<const T&>().State());
      return AreReferences<Tuple>(IndexesOf<Tuple>()) && AreArchivable<Tuple>(IndexesOf<Tuple>());
    } else {
      return false;
    }
  } else if constexpr (std::is_same_v<T, float> || std::is_same_v<T, double>) {
    return true;
  } else if constexpr (kIsOptional<T>) {
    return IsArchivable<typename T::value_type>() &&
           std::is_default_constructible_v<typename T::value_type>;
  } else if constexpr (SizedRange<T>) {
    if constexpr (UnorderedContainer<T>) {
      return false;
    } else if constexpr (GrowingContainer<T>) {
      using Element = typename ElementOf<typename T::value_type>::type;
      return IsArchivable<Element>() && std::is_default_constructible_v<Element>;
    } else if constexpr (TupleLike<T>) {  // std::array
      return IsArchivable<std::ranges::range_value_t<T>>();
    } else {
      return false;  // it does not own what it shows
    }
  } else if constexpr (TupleLike<T>) {
    return AreArchivable<T>(IndexesOf<T>());
  } else {
    return kDigestsByBytes<T>;
  }
}

// Tells layouts apart: what was written by one is not read by another.
template <typename T>
constexpr uint64_t LayoutOf(uint64_t seed);

template <typename Tuple, size_t... kIndex>
constexpr uint64_t LayoutOfParts(uint64_t seed, std::index_sequence<kIndex...>) {
  ((seed = LayoutOf<std::remove_cvref_t<std::tuple_element_t<kIndex, Tuple>>>(seed)), ...);
  return Mix64(seed + sizeof...(kIndex));
}

template <typename T>
constexpr uint64_t LayoutOf(uint64_t seed) {
  constexpr auto kTagged = [](uint64_t value, uint64_t tag) { return Mix64(value * 31 + tag); };
  if constexpr (ArchivesItself<T>) {
    return kTagged(seed, 1);
  } else if constexpr (DeclaresState<T>) {
    using Tuple = decltype(std::declval<const T&>().State());
    return LayoutOfParts<Tuple>(kTagged(seed, 2), IndexesOf<Tuple>());
  } else if constexpr (kIsOptional<T>) {
    return LayoutOf<typename T::value_type>(kTagged(seed, 3));
  } else if constexpr (SizedRange<T>) {
    constexpr uint64_t kCount = []() -> uint64_t {
      if constexpr (TupleLike<T>) return std::tuple_size_v<T>;
      return 0;
    }();
    return LayoutOf<typename ElementOf<std::ranges::range_value_t<T>>::type>(
        kTagged(kTagged(seed, 4), kCount));
  } else if constexpr (TupleLike<T>) {
    return LayoutOfParts<T>(kTagged(seed, 5), IndexesOf<T>());
  } else {
    constexpr uint64_t kSort = std::is_floating_point_v<T> ? 6
                               : std::is_integral_v<T>     ? (std::is_signed_v<T> ? 7 : 8)
                                                           : 9;
    return kTagged(kTagged(seed, kSort), sizeof(T));
  }
}

}  // namespace internal

// The value in the form that Read() takes back: as DigestAppend() goes through it, sizes of containers
// in front of their elements.
template <typename T>
void StateWriter::Add(const T& value) {
  static_assert(internal::IsArchivable<T>(), "this type cannot be brought back from bytes");
  if constexpr (internal::ArchivesItself<T>) {
    value.Save(*this);
  } else if constexpr (internal::DeclaresState<T>) {
    std::apply([&](const auto&... part) { (Add(part), ...); }, value.State());
  } else if constexpr (std::is_same_v<T, float> || std::is_same_v<T, double>) {
    AddBytes(&value, sizeof(value));
  } else if constexpr (internal::kIsOptional<T>) {
    Add(static_cast<uint8_t>(value.has_value()));
    if (value.has_value()) Add(*value);
  } else if constexpr (internal::SizedRange<T>) {
    using Element = std::ranges::range_value_t<const T>;
    Add(static_cast<uint64_t>(std::ranges::size(value)));
    if constexpr (std::ranges::contiguous_range<const T> && internal::kDigestsByBytes<Element>) {
      AddBytes(std::ranges::data(value), std::ranges::size(value) * sizeof(Element));
    } else {
      for (const auto& element : value) Add<Element>(element);
    }
  } else if constexpr (internal::TupleLike<T>) {
    std::apply([&](const auto&... part) { (Add(part), ...); }, value);
  } else {
    AddBytes(&value, sizeof(value));
  }
}

// False when the bytes are not those of such a value; then the value is anything.
template <typename T>
bool StateReader::Read(T& value) {
  if constexpr (internal::ArchivesItself<T>) {
    value.Load(*this);
  } else if constexpr (internal::DeclaresState<T>) {
    // State() is const and shows the members of an object that is not.
    std::apply(
        [&](const auto&... part) {
          (Read(const_cast<std::remove_cvref_t<decltype(part)>&>(part)), ...);
        },
        value.State());
  } else if constexpr (std::is_same_v<T, float> || std::is_same_v<T, double>) {
    ReadBytes(&value, sizeof(value));
  } else if constexpr (internal::kIsOptional<T>) {
    uint8_t has_value = 0;
    Read(has_value);
    value.reset();
    if (has_value != 0 && !failed_) Read(value.emplace());
  } else if constexpr (internal::SizedRange<T>) {
    uint64_t size = 0;
    Read(size);
    if constexpr (internal::GrowingContainer<T>) {
      using Element = typename internal::ElementOf<typename T::value_type>::type;
      value.clear();
      if (size > left_bytes()) Fail();  // every element takes a byte
      if constexpr (std::ranges::contiguous_range<T> && internal::kDigestsByBytes<Element>) {
        if (size > left_bytes() / sizeof(Element)) Fail();
        if (failed_) return false;
        value.resize(size);
        ReadBytes(value.data(), size * sizeof(Element));
      } else {
        for (uint64_t i = 0; i < size && !failed_; ++i) {
          Element element{};
          if (Read(element)) value.insert(value.end(), std::move(element));
        }
      }
    } else {
      if (size != value.size()) Fail();
      for (auto& element : value) Read(element);
    }
  } else if constexpr (internal::TupleLike<T>) {
    std::apply([&](auto&... part) { (Read(part), ...); }, value);
  } else {
    ReadBytes(static_cast<void*>(&value), sizeof(value));
  }
  return !failed_;
}

}  // namespace bitactor

#endif  // BITACTOR_L3_GENACTOR_STATE_ARCHIVE_H_
