/* SPDX-License-Identifier: Apache-2.0 */
/* Texts for the terminal. */
#include "shown.h"

#include <string.h>

#include "dlq/letter.h"

char *shown(const char *text)
{
    size_t n = strlen(text);
    char *out = xcalloc(n + 1, 1);

    letter_text(text, n, out, n + 1);
    return out;
}

const char *shown_or_dash(const char *text)
{
    return text[0] != '\0' ? text : "-";
}
