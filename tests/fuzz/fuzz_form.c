/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Target: forms, charsets and amounts.
 *
 * Claims: names are unique, in order and of their characters; values have no NUL; what was decoded, encoded again and
 * decoded once more is the same; transcoded text is UTF-8; an amount, printed, is what was read.
 */
#include <stdio.h>
#include <string.h>

#include "channel/charset.h"
#include "channel/event_text.h"
#include "channel/form.h"
#include "fuzz.h"

static void encode(const struct form *form, struct buf *out)
{
    for (size_t i = 0; i < form->n; i++) {
        CLAIM(buf_printf(out, "&%s=", form->params[i].name));
        for (size_t k = 0; k < form->params[i].value_n; k++) {
            CLAIM(buf_printf(out, "%%%02x", (unsigned)(unsigned char)form->params[i].value[k]));
        }
    }
}

static void check_text(const struct form_param *p, struct arena *arena)
{
    static const enum charset CHARSETS[] = {CHARSET_GBK, CHARSET_GB18030};
    int64_t minor = 0;
    for (size_t i = 0; i < ARRAY_SIZE(CHARSETS); i++) {
        CLEANUP(charset_closep) struct charset_reader *reader = charset_open(CHARSETS[i]);
        const char *text = charset_utf8(reader, p->value, p->value_n, arena);
        CLAIM(text == NULL || charset_utf8_ok(text, strlen(text)));
    }
    if (event_amount(p->value, 2, &minor)) {
        char again[64];
        int64_t same = -1;
        (void)snprintf(again, sizeof again, "%lld.%02lld", (long long)(minor / 100), (long long)(minor % 100));
        CLAIM(minor >= 0 && event_amount(again, 2, &same) && same == minor);
    }
    (void)charset_find(p->value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct form form;
    static struct form again;
    struct verdict v = {0};
    CLEANUP(arena_done) struct arena arena;
    CLEANUP(buf_done) struct buf encoded;
    arena_init(&arena, 65536);
    buf_init(&encoded, (size_t)1 << 20);
    enum channel_reason reason = form_parse(data, size, &arena, &form, &v);
    CLAIM(reason == REASON_OK || reason == REASON_PARAM_DUP || reason == REASON_BODY_MALFORMED);
    CLAIM((reason == REASON_OK) == (v.detail[0] == '\0'));
    if (reason != REASON_OK) {
        return 0;
    }
    for (size_t i = 0; i < form.n; i++) {
        CLAIM(strlen(form.params[i].value) == form.params[i].value_n);
        CLAIM(i == 0 || strcmp(form.params[i - 1].name, form.params[i].name) < 0);
        check_text(&form.params[i], &arena);
    }
    encode(&form, &encoded);
    CLAIM(form_parse(buf_str(&encoded), encoded.len, &arena, &again, &v) == REASON_OK && again.n == form.n);
    for (size_t i = 0; i < form.n; i++) {
        CLAIM(strcmp(form.params[i].value, form_get(&again, form.params[i].name)) == 0);
    }
    return 0;
}
