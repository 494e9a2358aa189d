/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by xml.c (elements) and xml_text.c (characters). */
#ifndef SLUICE_CARRIER_XML_INTERNAL_H
#define SLUICE_CARRIER_XML_INTERNAL_H

#include <stdbool.h>

#include "carrier/xml.h"

struct xml_parser {
    const char *from, *at, *end;
    struct arena *arena;
    char *why;
    char *texts; /* of the elements that are open, one behind the other: never more than was read */
    size_t texts_n;
    int depth;
    size_t values;
};

/* Says what is wrong, and where, unless something was said before. Returns false. */
bool xml_malformed(const struct xml_parser *p, const char *what);
void xml_skip_blanks(struct xml_parser *p);
/* Takes the word if it is next. */
bool xml_take(struct xml_parser *p, const char *word);
/* Up to and behind the word. */
bool xml_skip_past(struct xml_parser *p, const char *word);
/* A text with its references resolved, until the character, which stays. Appends to out, never more than is read. */
bool xml_text(struct xml_parser *p, char stop, char *out, size_t *n);

#endif
