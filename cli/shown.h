/* SPDX-License-Identifier: Apache-2.0 */
/* Texts as they are shown to people: of others, so that nothing in them steers the terminal. */
#ifndef SLUICE_CLI_SHOWN_H
#define SLUICE_CLI_SHOWN_H

#include "base/mem.h"

/* What is no printable UTF-8 is '?', as is a line's end. Heap memory of the caller. */
char *shown(const char *text) MUST_USE;
/* "-" for an empty text, else the text itself. */
const char *shown_or_dash(const char *text);

#endif
