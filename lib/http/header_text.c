/* SPDX-License-Identifier: Apache-2.0 */
/* Characters of header names and values. */
#include "http/header_text.h"

#include <string.h>
#include <strings.h>

bool header_name_ok(const char *name)
{
    static const char others[] = "!#$%&'*+-.^_`|~0123456789";
    bool ok = *name != '\0';

    for (; ok && *name != '\0'; name++) {
        ok = (*name >= 'a' && *name <= 'z') || (*name >= 'A' && *name <= 'Z') || strchr(others, *name) != NULL;
    }
    return ok;
}

bool header_value_ok(const char *value)
{
    bool ok = true;

    for (; ok && *value != '\0'; value++) {
        ok = *value == '\t' || ((unsigned char)*value >= 0x20 && *value != 0x7f);
    }
    return ok;
}

bool header_media_is(const char *value, const char *media)
{
    size_t n = strlen(media);

    return strncasecmp(value, media, n) == 0 && (value[n] == '\0' || strchr("; \t", value[n]) != NULL);
}
