# SPDX-License-Identifier: Apache-2.0
# sluice_embed(OUT_C SYMBOL FILES...): makes a C file with `const struct embedded SYMBOL[]` that holds the files' bytes.
function(sluice_embed out symbol)
  string(REPLACE ";" "|" files "${ARGN}")
  add_custom_command(
    OUTPUT ${out}
    COMMAND ${CMAKE_COMMAND} -DOUT=${out} -DSYMBOL=${symbol} "-DFILES=${files}" -P
            ${CMAKE_SOURCE_DIR}/cmake/embed_files.cmake
    DEPENDS ${ARGN} ${CMAKE_SOURCE_DIR}/cmake/embed_files.cmake
    VERBATIM)
endfunction()
