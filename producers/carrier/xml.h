/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The little XML that carriers send: one element with elements in it, attributes, texts. Narrower than the standard:
 * no DOCTYPE (and with it no entities of one's own), no other processing instructions than the declaration, names of
 * ASCII, bounded in depth and number.
 *
 * It comes out as JSON would: an element without attributes and children is a string, another one an object with the
 * attributes' and children's names as members; children of one name are one array. An element's text beside its
 * children or attributes is passed over.
 *
 * Why not a library: none that is linked has one, and what is needed is one page.
 */
#ifndef SLUICE_CARRIER_XML_H
#define SLUICE_CARRIER_XML_H

#include "http/body.h"

#define XML_DEPTH_MAX 8
#define XML_VALUES_MAX 16384 /* elements and attributes */
#define XML_WHY_MAX 100

/* Lives in the arena; text is UTF-8. The root's own name is its key. NULL: *why says what was wrong and where. */
struct body_value *xml_parse(const char *text, size_t n, struct arena *arena, char why[XML_WHY_MAX]);

#endif
