/* SPDX-License-Identifier: Apache-2.0 */
#include "channel/charset.h"

#include <iconv.h>
#include <stdlib.h>
#include <strings.h>

#include "base/buf.h"

struct charset_reader {
    iconv_t cd;
};

enum charset charset_find(const char *name)
{
    static const struct {
        const char *name;
        enum charset charset;
    } NAMES[] = {{"utf-8", CHARSET_UTF8},
                 {"utf8", CHARSET_UTF8},
                 {"gbk", CHARSET_GBK},
                 {"gb2312", CHARSET_GBK},
                 {"gb18030", CHARSET_GB18030}};
    for (size_t i = 0; i < ARRAY_SIZE(NAMES); i++) {
        if (strcasecmp(NAMES[i].name, name) == 0) {
            return NAMES[i].charset;
        }
    }
    return CHARSET_UNKNOWN;
}

bool charset_utf8_ok(const char *text, size_t n)
{
    while (n > 0) {
        size_t k = utf8_sequence(text, n);
        if (k == 0) {
            return false;
        }
        text += k;
        n -= k;
    }
    return true;
}

struct charset_reader *charset_open(enum charset charset)
{
    iconv_t cd = iconv_open("UTF-8", charset == CHARSET_GB18030 ? "GB18030" : charset == CHARSET_GBK ? "GBK" : "UTF-8");
    if (cd == (iconv_t)-1) {
        return NULL;
    }
    struct charset_reader *reader = xcalloc(1, sizeof *reader);
    reader->cd = cd;
    return reader;
}

void charset_closep(struct charset_reader **reader)
{
    if (*reader != NULL) {
        (void)iconv_close((*reader)->cd);
        free(*reader);
        *reader = NULL;
    }
}

const char *charset_utf8(struct charset_reader *reader, const char *text, size_t n, struct arena *arena)
{
    size_t room = 3 * n; /* two bytes become at most three, four at most four */
    char *out = arena_alloc(arena, room + 1);
    char *in = arena_strndup(arena, text, n); /* iconv() wants it without const */
    char *to = out;
    (void)iconv(reader->cd, NULL, NULL, NULL, NULL);
    if (iconv(reader->cd, &in, &n, &to, &room) == (size_t)-1 || n > 0) {
        return NULL;
    }
    *to = '\0';
    return out;
}
