#include "bitactor/persistence/payload_types.h"

#include <exception>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace bitactor {

namespace internal {

std::string EscapedText(std::string_view bytes) {
  return absl::CHexEscape(absl::string_view(bytes.data(), bytes.size()));
}

}  // namespace internal

std::string PayloadTypes::Entry::Text() const {
  return absl::StrFormat("%s version %d", name, version);
}

absl::Status PayloadTypes::AddType(Entry entry, bool must_be_new) {
  const auto [found, is_new] = types_.try_emplace(entry.id, entry);
  const Entry& known = found->second;
  if (is_new) return absl::OkStatus();
  if (known.name != entry.name || known.version != entry.version) {
    return absl::AlreadyExistsError(absl::StrFormat(
        "%s and %s have the same type id %08x: give the one that no journal holds yet another "
        "kTypeName",
        known.Text(), entry.Text(), entry.id));
  }
  if (known.cxx_type != entry.cxx_type) {
    return absl::AlreadyExistsError(
        absl::StrFormat("two C++ types, of %d and %d bytes, are both named %s: raise the "
                        "kTypeVersion of the newer one",
                        known.size_bytes, entry.size_bytes, entry.Text()));
  }
  if (must_be_new) {
    return absl::AlreadyExistsError(
        absl::StrCat(entry.Text(), " was added before: add each type once"));
  }
  return absl::OkStatus();
}

absl::Status PayloadTypes::AddStep(uint32_t from, uint32_t to, Step step) {
  Entry& old = types_.at(from);
  if (old.next != 0) {
    return absl::AlreadyExistsError(
        absl::StrFormat("%s has an upcaster to %s already; the one to %s would be a second way",
                        old.Text(), types_.at(old.next).Text(), types_.at(to).Text()));
  }
  // Ends: without this step the upcasters have no cycle.
  for (uint32_t at = to; at != 0; at = types_.at(at).next) {
    if (at == from) {
      return absl::InvalidArgumentError(
          absl::StrFormat("an upcaster from %s to %s would close a circle: upcasters lead from "
                          "older types to newer ones only",
                          old.Text(), types_.at(to).Text()));
    }
  }
  old.next = to;
  old.step = std::move(step);
  return absl::OkStatus();
}

absl::StatusOr<const PayloadTypes::Entry*> PayloadTypes::Find(uint32_t type_id,
                                                              size_t payload_bytes,
                                                              const std::string& wanted) const {
  const auto found = types_.find(type_id);
  if (found == types_.end()) {
    return absl::NotFoundError(absl::StrFormat(
        "no payload type with id %08x is known: register the type that was written%s", type_id,
        wanted.empty() ? std::string(" with Add()")
                       : absl::StrCat(" with AddUpcaster() towards ", wanted)));
  }
  const Entry& entry = found->second;
  if (payload_bytes != entry.size_bytes) {
    return absl::FailedPreconditionError(absl::StrFormat(
        "a payload of %d bytes, but %s has %d: a type whose layout changes needs a higher "
        "kTypeVersion, and the old layout its own type",
        payload_bytes, entry.Text(), entry.size_bytes));
  }
  return &entry;
}

absl::Status PayloadTypes::Check(uint32_t type_id, size_t payload_bytes,
                                 const Entry& wanted) const {
  const auto known = types_.find(wanted.id);
  if (known == types_.end() || known->second.cxx_type != wanted.cxx_type) {
    return absl::NotFoundError(absl::StrFormat(
        "%s, which a payload of type id %08x is to become, is not registered: call Add() for it "
        "and look at its result",
        wanted.Text(), type_id));
  }
  return Find(type_id, payload_bytes, wanted.Text()).status();
}

absl::StatusOr<std::vector<std::byte>> PayloadTypes::Convert(uint32_t type_id,
                                                             std::span<const std::byte> payload,
                                                             uint32_t wanted) const {
  std::vector<std::byte> bytes(payload.begin(), payload.end());
  for (const Entry* at = &types_.at(type_id); at->id != wanted; at = &types_.at(at->next)) {
    if (at->next == 0) {
      const std::string from = types_.at(type_id).Text();
      return absl::FailedPreconditionError(absl::StrFormat(
          "a payload of %s cannot become %s: %s has no upcaster; register one with AddUpcaster()",
          from, types_.at(wanted).Text(), at->id == type_id ? "it" : at->Text()));
    }
    try {
      absl::StatusOr<std::vector<std::byte>> next = at->step(bytes);
      if (!next.ok()) return next.status();
      bytes = *std::move(next);
    } catch (const std::exception& error) {
      return absl::InternalError(absl::StrFormat("the upcaster from %s to %s threw: %s", at->Text(),
                                                 types_.at(at->next).Text(), error.what()));
    } catch (...) {
      return absl::InternalError(absl::StrFormat("the upcaster from %s to %s threw", at->Text(),
                                                 types_.at(at->next).Text()));
    }
  }
  return bytes;
}

absl::StatusOr<PayloadText> PayloadTypes::Describe(uint32_t type_id,
                                                   std::span<const std::byte> payload) const {
  absl::StatusOr<const Entry*> entry = Find(type_id, payload.size(), "");
  if (!entry.ok()) return entry.status();
  PayloadText text;
  text.type = std::string((*entry)->name);
  text.version = (*entry)->version;
  if ((*entry)->append_fields != nullptr) (*entry)->append_fields(payload, text.fields);
  return text;
}

}  // namespace bitactor
