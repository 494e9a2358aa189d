/* SPDX-License-Identifier: Apache-2.0 */
#include "channel/event_text.h"

#include <string.h>

#include "base/buf.h"

#define KEY_MAX 1024

bool event_id_ok(const char *text)
{
    size_t n = 0;
    for (; text[n] != '\0'; n++) {
        if (text[n] <= ' ' || text[n] > '~') {
            return false;
        }
    }
    return n > 0 && n <= EVENT_ID_MAX;
}

bool event_currency_ok(const char *text)
{
    return strlen(text) == 3 && strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == 3;
}

const char *event_key(struct arena *arena, const char *a, const char *b, const char *c)
{
    CLEANUP(buf_done) struct buf out;
    buf_init(&out, KEY_MAX);
    (void)buf_printf(&out, "%s%s%s%s%s", a, b == NULL ? "" : "/", b == NULL ? "" : b, c == NULL ? "" : "/",
                     c == NULL ? "" : c);
    return arena_strndup(arena, buf_str(&out), out.len);
}

/* Appends a digit; false: too large. */
static bool append(int64_t *n, int digit)
{
    return !__builtin_mul_overflow(*n, (int64_t)10, n) && !__builtin_add_overflow(*n, (int64_t)digit, n);
}

bool event_amount(const char *text, int digits, int64_t *out_minor)
{
    int64_t n = 0;
    size_t whole = strspn(text, "0123456789");
    if (whole == 0 || (text[0] == '0' && whole > 1)) {
        return false;
    }
    for (size_t i = 0; i < whole; i++) {
        if (!append(&n, text[i] - '0')) {
            return false;
        }
    }
    const char *behind = text + whole;
    size_t given = 0;
    if (*behind == '.') {
        behind++;
        given = strspn(behind, "0123456789");
        if (given == 0 || given > (size_t)digits) {
            return false;
        }
    }
    if (behind[given] != '\0') {
        return false;
    }
    for (size_t i = 0; i < (size_t)digits; i++) {
        if (!append(&n, i < given ? behind[i] - '0' : 0)) {
            return false;
        }
    }
    *out_minor = n;
    return true;
}
