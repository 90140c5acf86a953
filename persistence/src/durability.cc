#include "absl/strings/str_cat.h"
#include "bitactor/persistence/journal_options.h"

namespace bitactor {

const char* DurabilityName(Durability durability) {
  switch (durability) {
    case Durability::kProcess:
      return "process";
    case Durability::kGroup:
      return "group";
    case Durability::kEach:
      return "each";
  }
  return "unknown";
}

absl::StatusOr<Durability> ParseDurability(std::string_view name) {
  for (const Durability durability :
       {Durability::kProcess, Durability::kGroup, Durability::kEach}) {
    if (name == DurabilityName(durability)) return durability;
  }
  return absl::InvalidArgumentError(absl::StrCat("no durability level `", std::string(name),
                                                 "`; process, group and each are possible"));
}

}  // namespace bitactor
