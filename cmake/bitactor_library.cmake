# bitactor_library(<layer> HEADERS <names...> SOURCES <files...> [LINKS <targets...>])
#
# Makes the target bitactor_<layer> (alias bitactor::<layer>) and installs it. HEADERS are named
# relative to include/bitactor/<layer>/. What the layer may link from this project comes from
# layers.cmake; LINKS are third-party targets.
include(${CMAKE_CURRENT_LIST_DIR}/layers.cmake)
include(${CMAKE_CURRENT_LIST_DIR}/install_layer.cmake)

function(bitactor_library layer)
  cmake_parse_arguments(ARG "" "" "HEADERS;SOURCES;LINKS" ${ARGN})
  set(target bitactor_${layer})
  # A header whose source is src/<name>.cc is that source's first include: compiling the source (each for itself
  # in the preset clang-threadsafety) shows that it stands alone. The others are compiled for that alone.
  set(lone ${ARG_HEADERS})
  set(paired "")
  foreach(header IN LISTS ARG_HEADERS)
    string(REGEX REPLACE "\\.h$" ".cc" source src/${header})
    if(source IN_LIST ARG_SOURCES)
      list(REMOVE_ITEM lone ${header})
      list(APPEND paired ${header})
    endif()
  endforeach()
  list(TRANSFORM lone PREPEND ${CMAKE_CURRENT_SOURCE_DIR}/include/bitactor/${layer}/)
  list(TRANSFORM paired PREPEND ${CMAKE_CURRENT_SOURCE_DIR}/include/bitactor/${layer}/)

  add_library(${target} STATIC ${ARG_SOURCES})
  add_library(bitactor::${layer} ALIAS ${target})
  target_sources(${target} PUBLIC
    FILE_SET HEADERS
    BASE_DIRS ${CMAKE_CURRENT_SOURCE_DIR}/include
    FILES ${paired}
    FILE_SET lone_headers
    TYPE HEADERS
    BASE_DIRS ${CMAKE_CURRENT_SOURCE_DIR}/include
    FILES ${lone})
  target_compile_features(${target} PUBLIC cxx_std_20)
  bitactor_instruction_floor(floor)
  target_compile_options(${target} INTERFACE ${floor})
  target_link_libraries(${target} PRIVATE $<BUILD_INTERFACE:bitactor_warnings>)
  set_target_properties(${target} PROPERTIES
    EXPORT_NAME ${layer}
    POSITION_INDEPENDENT_CODE ON
    VERIFY_INTERFACE_HEADER_SETS ON
    INTERFACE_HEADER_SETS_TO_VERIFY lone_headers)
  foreach(used IN LISTS BITACTOR_LAYER_USES_${layer})
    target_link_libraries(${target} PUBLIC bitactor::${used})
  endforeach()
  target_link_libraries(${target} PUBLIC ${ARG_LINKS})

  bitactor_install_layer(${layer} ${ARG_LINKS})
endfunction()
