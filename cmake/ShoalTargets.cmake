# Functions that every folder of the project uses to declare its targets, so
# that compile options, the precompiled headers and link rules are said once.

include(CMakeParseArguments)

add_library(shoal_options INTERFACE)
target_compile_options(shoal_options INTERFACE
  -Wall -Wextra -Wno-unused-parameter -fno-exceptions
  $<$<CXX_COMPILER_ID:Clang>:-Wno-gnu-line-marker>)
if(SHOAL_ENABLE_ASSERTIONS)
  target_compile_options(shoal_options INTERFACE -UNDEBUG)
endif()
if(SHOAL_SANITIZE)
  string(REPLACE ";" "," _shoal_sanitize "${SHOAL_SANITIZE}")
  # Every finding ends the program, those of UBSan too. Not vptr: it needs the
  # type of every object, and most come from a library built without it.
  set(_shoal_findings "")
  if("undefined" IN_LIST SHOAL_SANITIZE)
    set(_shoal_findings -fno-sanitize=vptr -fno-sanitize-recover=all)
  endif()
  target_compile_options(shoal_options INTERFACE
    -fsanitize=${_shoal_sanitize} ${_shoal_findings}
    -fno-omit-frame-pointer -g1)
  target_link_options(shoal_options INTERFACE -fsanitize=${_shoal_sanitize})
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  # A time stamp in the header file would make every ccache look-up miss.
  target_compile_options(shoal_options INTERFACE
    "SHELL:-Xclang -fno-pch-timestamp")
endif()

# The precompiled MLIR headers, built once and reused by all our libraries.
function(shoal_add_pch_target)
  file(WRITE ${CMAKE_BINARY_DIR}/cmake/pch.cpp "")
  add_library(shoal_pch STATIC ${CMAKE_BINARY_DIR}/cmake/pch.cpp)
  target_link_libraries(shoal_pch PRIVATE shoal_options)
  target_precompile_headers(shoal_pch PRIVATE
    ${CMAKE_SOURCE_DIR}/cmake/pch.h)
endfunction()
shoal_add_pch_target()

# shoal_add_library(Name SOURCES a.cpp… [LINK lib…] [DEPENDS tablegen-target…])
# One static library of compiler code; link dependencies are public.
function(shoal_add_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINK;DEPENDS" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE shoal_options PUBLIC ${ARG_LINK} MLIR)
  target_precompile_headers(${name} REUSE_FROM shoal_pch)
  if(ARG_DEPENDS)
    add_dependencies(${name} ${ARG_DEPENDS})
  endif()
  set_property(GLOBAL APPEND PROPERTY SHOAL_LIBS ${name})
endfunction()

# shoal_add_tool(name SOURCES a.cpp… LINK lib… [FOR_TESTS])
# FOR_TESTS: built with the tools, but not installed.
function(shoal_add_tool name)
  cmake_parse_arguments(ARG "FOR_TESTS" "" "SOURCES;LINK" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE shoal_options ${ARG_LINK} MLIR LLVM)
  # The precompiled header is position independent code, not -fPIE.
  set_target_properties(${name} PROPERTIES POSITION_INDEPENDENT_CODE OFF)
  target_compile_options(${name} PRIVATE -fPIC)
  target_precompile_headers(${name} REUSE_FROM shoal_pch)
  set_property(GLOBAL APPEND PROPERTY SHOAL_TOOLS ${name})
  if(NOT ARG_FOR_TESTS)
    install(TARGETS ${name} DESTINATION bin)
  endif()
endfunction()

# shoal_tablegen(target FILE x.td PREFIX x DIALECT name [ENUMS] [ATTRS] [TYPES]
#                [INTERFACES attr|op|type…] [NO_OPS])
# Runs mlir-tblgen for one dialect file; outputs PREFIX{,Dialect,Attrs,Types,
# Enums}.{h,cpp}.inc beside the file in the build tree, and its documentation
# under build/docs/Dialects.
function(shoal_tablegen target)
  cmake_parse_arguments(ARG "ENUMS;ATTRS;TYPES;NO_OPS" "FILE;PREFIX;DIALECT"
                        "OP_INTERFACES" ${ARGN})
  set(LLVM_TARGET_DEFINITIONS ${ARG_FILE})
  if(NOT ARG_NO_OPS)
    mlir_tablegen(${ARG_PREFIX}.h.inc -gen-op-decls)
    mlir_tablegen(${ARG_PREFIX}.cpp.inc -gen-op-defs)
  endif()
  if(ARG_DIALECT)
    mlir_tablegen(${ARG_PREFIX}Dialect.h.inc -gen-dialect-decls -dialect=${ARG_DIALECT})
    mlir_tablegen(${ARG_PREFIX}Dialect.cpp.inc -gen-dialect-defs -dialect=${ARG_DIALECT})
    mlir_tablegen(docs/${ARG_PREFIX}.md -gen-dialect-doc -dialect=${ARG_DIALECT})
  endif()
  if(ARG_ENUMS)
    mlir_tablegen(${ARG_PREFIX}Enums.h.inc -gen-enum-decls)
    mlir_tablegen(${ARG_PREFIX}Enums.cpp.inc -gen-enum-defs)
  endif()
  if(ARG_ATTRS)
    mlir_tablegen(${ARG_PREFIX}Attrs.h.inc -gen-attrdef-decls -attrdefs-dialect=${ARG_DIALECT})
    mlir_tablegen(${ARG_PREFIX}Attrs.cpp.inc -gen-attrdef-defs -attrdefs-dialect=${ARG_DIALECT})
  endif()
  if(ARG_TYPES)
    mlir_tablegen(${ARG_PREFIX}Types.h.inc -gen-typedef-decls -typedefs-dialect=${ARG_DIALECT})
    mlir_tablegen(${ARG_PREFIX}Types.cpp.inc -gen-typedef-defs -typedefs-dialect=${ARG_DIALECT})
  endif()
  add_public_tablegen_target(${target})
endfunction()
