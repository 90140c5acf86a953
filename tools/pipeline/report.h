// Reports for people and for programs.
#ifndef BITACTOR_TOOLS_PIPELINE_REPORT_H_
#define BITACTOR_TOOLS_PIPELINE_REPORT_H_

#include <cstdint>
#include <string>

#include "pipeline/run.h"

namespace bitactor::pipeline {

// A summary to read.
std::string ToText(const RunReport& report);
std::string ToText(const ReplayReport& report);

// One JSON object. 64-bit digests are hexadecimal strings: JSON numbers lose bits over 2^53.
std::string ToJson(const RunReport& report);
std::string ToJson(const ReplayReport& report);

// "850 ns", "12.3 us", "45.6 ms".
std::string LatencyText(uint64_t latency_ns);

}  // namespace bitactor::pipeline

#endif  // BITACTOR_TOOLS_PIPELINE_REPORT_H_
