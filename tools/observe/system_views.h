// A look at a system as JSON, for the page.
#ifndef BITACTOR_TOOLS_OBSERVE_SYSTEM_VIEWS_H_
#define BITACTOR_TOOLS_OBSERVE_SYSTEM_VIEWS_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "observe/system_look.h"
#include "observe/trace_keeper.h"

namespace bitactor::observe {

using NameOf = std::function<std::string(uint32_t)>;

// Any bytes in names give valid JSON.
std::string LayersJson(const SystemLook& look);
std::string TreeJson(const SystemLook& look);
std::string MailboxesJson(const SystemLook& look);
std::string BreakersJson(const SystemLook& look, const NameOf& actor);
std::string TracesJson(const std::vector<KeptTrace>& traces, const NameOf& actor,
                       const NameOf& type);

}  // namespace bitactor::observe

#endif  // BITACTOR_TOOLS_OBSERVE_SYSTEM_VIEWS_H_
