# SPDX-License-Identifier: Apache-2.0
# sluice_folder(NAME SOURCES a.c b.c LINKS t1 t2): one static library per folder.
# PUBLIC include root is the parent, so that code reads "pg/conn.h", "relay/lane.h"; only those who link see it.
function(sluice_folder name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINKS;PRIVATE_LINKS" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  target_link_libraries(${name} PUBLIC sluice_flags ${ARG_LINKS} PRIVATE ${ARG_PRIVATE_LINKS})
  # A private copy of the folder's headers' view: <build>/include/<target>/<folder> -> source folder, so that linking
  # one folder does not make its siblings visible.
  get_filename_component(folder ${CMAKE_CURRENT_SOURCE_DIR} NAME)
  set(view ${CMAKE_BINARY_DIR}/include/${name})
  file(MAKE_DIRECTORY ${view})
  file(CREATE_LINK ${CMAKE_CURRENT_SOURCE_DIR} ${view}/${folder} SYMBOLIC)
  target_include_directories(${name} PUBLIC ${view})
endfunction()
