# Who may use whom. This one table drives linking (bitactor_library) and the include scan in
# tests/house: a library may include its own headers and those of the libraries in its row.
set(BITACTOR_LAYERS l1_core tracing tracing_export persistence l2_mailbox l3_genactor)

set(BITACTOR_LAYER_USES_l1_core "")
set(BITACTOR_LAYER_USES_tracing l1_core)
set(BITACTOR_LAYER_USES_tracing_export l1_core tracing)
set(BITACTOR_LAYER_USES_persistence l1_core)
set(BITACTOR_LAYER_USES_l2_mailbox l1_core tracing persistence)
set(BITACTOR_LAYER_USES_l3_genactor l1_core tracing persistence l2_mailbox)

# Third-party include roots a library may use, beside the C++ and C standard libraries and Linux.
set(BITACTOR_LAYER_THIRD_PARTY_l1_core absl)
set(BITACTOR_LAYER_THIRD_PARTY_tracing absl)
set(BITACTOR_LAYER_THIRD_PARTY_tracing_export absl blake3.h curl nlohmann zlib.h)
set(BITACTOR_LAYER_THIRD_PARTY_persistence absl)
set(BITACTOR_LAYER_THIRD_PARTY_l2_mailbox absl)
set(BITACTOR_LAYER_THIRD_PARTY_l3_genactor absl nlohmann)
