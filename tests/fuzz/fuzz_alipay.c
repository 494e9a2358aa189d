/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Target: the whole verdict on a call of Alipay. The first byte chooses the account, and whether the body is taken as
 * it is, or its parameters are signed here, so that what lies behind is reached.
 */
#include "channel/form.h"
#include "fuzz_channel.h"
#include "support/test_keys.h"

static struct rig rig;

static void forget(void)
{
    rig_done(&rig);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    rig_begin_accounts(&rig);
    (void)atexit(forget);
    return 0;
}

/* The body with a signature of its parameters behind it; false: it has none that could be signed. */
static bool sign(const char *body, size_t n, bool v2, struct buf *out)
{
    struct form form;
    struct verdict v = {0};
    struct buf text;
    bool type_there = false;
    if (form_parse(body, n, &rig.arena, &form, &v) != REASON_OK || form_get(&form, "sign") != NULL) {
        return false;
    }
    buf_init(&text, (size_t)1 << 20);
    type_there = form_get(&form, "sign_type") != NULL;
    for (size_t i = 0; i < form.n; i++) {
        if (v2 || strcmp(form.params[i].name, "sign_type") != 0) {
            CLAIM(buf_printf(&text, "%s%s=%s", text.len == 0 ? "" : "&", form.params[i].name, form.params[i].value));
        }
    }
    char *base64 = test_sign(rig.key_a, buf_str(&text), text.len);
    (void)buf_add(out, body, n);
    (void)buf_puts(out, "&sign=");
    for (const char *c = base64; *c != '\0'; c++) {
        (void)(*c == '+' ? buf_puts(out, "%2B") : buf_putc(out, *c));
    }
    free(base64);
    buf_done(&text);
    return !v2 || type_there;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const ACCOUNTS[] = {"shop", "v2", "certs"};
    CLEANUP(buf_done) struct buf body;
    buf_init(&body, (size_t)1 << 20);
    if (size == 0) {
        return 0;
    }
    const char *account = ACCOUNTS[data[0] % 3];
    const char *text = (const char *)data + 1;
    struct capture c = {.body = text, .body_n = size - 1};
    if ((data[0] & 0x40) != 0 && sign(text, size - 1, data[0] % 3 == 1, &body)) {
        c.body = buf_str(&body);
        c.body_n = body.len;
        fuzz_judge(&rig, CHANNEL_ALIPAY, account, &c);
        CLAIM(rig.v.genuine || rig.v.reason == REASON_SERIAL_UNKNOWN || rig.v.reason == REASON_CERT_EXPIRED ||
              rig.v.reason == REASON_SIG_INVALID || rig.v.reason == REASON_POLICY_WEAK_ALG ||
              rig.v.reason == REASON_ALG_UNSUPPORTED || rig.v.reason == REASON_BODY_MALFORMED ||
              rig.v.reason == REASON_TOO_LARGE);
    } else {
        fuzz_judge(&rig, CHANNEL_ALIPAY, account, &c);
        CLAIM(!rig.v.genuine);
    }
    return 0;
}
