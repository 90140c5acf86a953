// The fields of a payload type, declared by the type, as text for people.
#ifndef BITACTOR_PERSISTENCE_PAYLOAD_FIELDS_H_
#define BITACTOR_PERSISTENCE_PAYLOAD_FIELDS_H_

#include <charconv>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <vector>

namespace bitactor {

// A type names the fields to be shown, in the order to be shown:
//
//   struct Quote {
//     static constexpr auto PayloadFields() {
//       return std::tuple(PayloadField("price", &Quote::price), PayloadField("size", &Quote::size));
//     }
//     int64_t price;
//     uint32_t size;
//   };
template <typename T, typename Member>
struct PayloadField {
  constexpr PayloadField(std::string_view field_name, Member T::*field_member)
      : name(field_name), member(field_member) {}

  std::string_view name;
  Member T::*member;
};

template <typename T>
concept HasPayloadFields = requires {
  T::PayloadFields();
};

// One field of one payload: "price" and "1250".
struct PayloadValue {
  std::string name;
  std::string value;
  bool operator==(const PayloadValue&) const = default;
};

namespace internal {

std::string EscapedText(std::string_view bytes);

template <typename Value>
concept IsNumber = std::is_arithmetic_v<Value> && !std::same_as<Value, bool>;

// Numbers in decimal, floating point as short as reads back the same; enums as their numbers.
template <typename Value>
std::string ValueText(const Value& value) {
  if constexpr (std::same_as<Value, bool>) {
    return value ? "true" : "false";
  } else if constexpr (std::is_enum_v<Value>) {
    return ValueText(static_cast<std::underlying_type_t<Value>>(value));
  } else if constexpr (std::same_as<Value, char>) {
    return EscapedText({&value, 1});
  } else if constexpr (IsNumber<Value>) {
    char text[64];
    return {text, std::to_chars(text, text + sizeof(text), value).ptr};
  } else if constexpr (requires { std::span(value); }) {
    const auto elements = std::span(value);
    using Element = std::remove_cv_t<typename decltype(elements)::element_type>;
    if constexpr (std::same_as<Element, char>) {
      // Up to the first zero, as a string of C.
      const std::string_view all(elements.data(), elements.size());
      return EscapedText(all.substr(0, all.find('\0')));
    } else {
      std::string text = "[";
      for (const Element& element : elements) {
        if (text.size() > 1) text += ", ";
        text += ValueText(element);
      }
      return text + "]";
    }
  } else {
    static_assert(HasPayloadFields<Value>,
                  "a field is a number, a bool, an enum, a char, an array of those, or of a type "
                  "with PayloadFields() of its own");
    return {};
  }
}

// Fields of a field are named "outer.inner".
template <typename T>
void AppendFields(const T& payload, const std::string& prefix, std::vector<PayloadValue>& to) {
  const auto append = [&](const auto& field) {
    const auto& value = payload.*field.member;
    const std::string name = prefix + std::string(field.name);
    if constexpr (HasPayloadFields<std::remove_cvref_t<decltype(value)>>) {
      AppendFields(value, name + ".", to);
    } else {
      to.push_back({name, ValueText(value)});
    }
  };
  std::apply([&](const auto&... fields) { (append(fields), ...); }, T::PayloadFields());
}

}  // namespace internal
}  // namespace bitactor

#endif  // BITACTOR_PERSISTENCE_PAYLOAD_FIELDS_H_
