/* SPDX-License-Identifier: Apache-2.0 */
/* One request as it came over the wire: how long it is, and the headers the bench looks at. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "bench_callback.h"

static bool is(const char *line, size_t n, const char *name, size_t name_n)
{
    return n > name_n && line[name_n] == ':' && strncasecmp(line, name, name_n) == 0;
}

static void see_line(const char *line, size_t n, struct received *out, const char **length)
{
    const struct {
        const char *name;
        size_t n;
        const char **value;
    } wanted[] = {{"webhook-id", 10, &out->id},
                  {"webhook-timestamp", 17, &out->timestamp},
                  {"webhook-signature", 17, &out->signature},
                  {"content-length", 14, length}};

    for (size_t i = 0; i < ARRAY_SIZE(wanted); i++) {
        if (is(line, n, wanted[i].name, wanted[i].n)) {
            const char *value = line + wanted[i].n + 1;
            *wanted[i].value = value + strspn(value, " \t");
        }
    }
}

static void end_value(const char *value)
{
    if (value != NULL) {
        ((char *)(uintptr_t)value)[strcspn(value, "\r")] = '\0';
    }
}

/* Nothing is changed before all of it is there: it is parsed again then. */
bool received_parse(char *data, size_t n, struct received *out)
{
    const char *end = memmem(data, n, "\r\n\r\n", 4);
    const char *length = "0";

    *out = (struct received){.size = 0};
    if (end == NULL) {
        return true;
    }
    for (const char *line = data; line < end;) {
        const char *stop = memchr(line, '\r', (size_t)(end + 1 - line));
        see_line(line, (size_t)(stop - line), out, &length);
        line = stop + 2;
    }
    out->body = end + 4;
    out->body_n = strtoul(length, NULL, 10);
    size_t size = (size_t)(out->body - data) + out->body_n;
    if (out->body_n > PARTNER_PAYLOAD_MAX || size > n) {
        return out->body_n <= PARTNER_PAYLOAD_MAX;
    }
    out->size = size;
    end_value(out->id);
    end_value(out->timestamp);
    end_value(out->signature);
    return true;
}
