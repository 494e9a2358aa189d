# SPDX-License-Identifier: Apache-2.0
# One set of flags for every target. Each warning is here because it finds mistakes in code like ours.
# Assertions stay in a release: a daemon that moves money had better stop than go on from what cannot be.
string(REPLACE "-DNDEBUG" "" CMAKE_C_FLAGS_RELWITHDEBINFO "${CMAKE_C_FLAGS_RELWITHDEBINFO}")
string(REPLACE "-DNDEBUG" "" CMAKE_C_FLAGS_RELEASE "${CMAKE_C_FLAGS_RELEASE}")
add_library(sluice_flags INTERFACE)
# An image is built without .git: whoever builds says the revision, and `sluice version` shows 0.1.0+REVISION.
set(SLUICE_REVISION "" CACHE STRING "Revision that is built, shown behind the version")
if(NOT SLUICE_REVISION MATCHES "^[0-9A-Za-z.-]*$")
  message(FATAL_ERROR "SLUICE_REVISION: expected letters, digits, . and -, not \"${SLUICE_REVISION}\"")
endif()
set(SLUICE_VERSION "${PROJECT_VERSION}")
if(NOT SLUICE_REVISION STREQUAL "")
  string(APPEND SLUICE_VERSION "+${SLUICE_REVISION}")
endif()
target_compile_definitions(sluice_flags INTERFACE _GNU_SOURCE SLUICE_VERSION="${SLUICE_VERSION}")
target_compile_options(
  sluice_flags
  INTERFACE -Wall
            -Wextra
            -Wpedantic
            -Wshadow
            -Wconversion
            -Wsign-conversion # sizes from outside meet signed library types everywhere
            -Wstrict-prototypes
            -Wmissing-prototypes # what is not in a header is static
            -Wold-style-definition
            -Wpointer-arith
            -Wcast-qual
            -Wwrite-strings
            -Wundef
            -Wvla # no stack sized by input
            -Wformat=2
            -Wswitch-enum
            -Wnull-dereference
            -Wimplicit-fallthrough
            -fno-common
            -fstack-protector-strong
            $<$<BOOL:${SLUICE_WERROR}>:-Werror>)
if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
  target_compile_options(sluice_flags INTERFACE -Wlogical-op -Wduplicated-cond -Wduplicated-branches)
endif()

if(SLUICE_SANITIZE)
  target_compile_options(sluice_flags INTERFACE -fsanitize=address,undefined -fno-sanitize-recover=all
                                                -fno-omit-frame-pointer)
  target_link_options(sluice_flags INTERFACE -fsanitize=address,undefined)
elseif(CMAKE_BUILD_TYPE STREQUAL "Release" OR CMAKE_BUILD_TYPE STREQUAL "RelWithDebInfo")
  target_compile_options(sluice_flags INTERFACE -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2 -fPIE -fcf-protection)
  target_link_options(sluice_flags INTERFACE -pie -Wl,-z,relro,-z,now,-z,noexecstack)
endif()
