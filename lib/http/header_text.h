/* SPDX-License-Identifier: Apache-2.0 */
/* What may stand in a header (RFC 9110). */
#ifndef SLUICE_HTTP_HEADER_TEXT_H
#define SLUICE_HTTP_HEADER_TEXT_H

#include <stdbool.h>

/* A token: not empty, letters, digits and some marks. */
bool header_name_ok(const char *name);
/* No line ends and no other control characters but tab; bytes above 0x7f pass. May be empty. */
bool header_value_ok(const char *value);
/* Is a Content-Type this media type? "application/json; charset=utf-8" is "application/json". */
bool header_media_is(const char *value, const char *media);

#endif
