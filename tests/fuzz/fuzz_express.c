/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Target: the whole verdict on a carrier's call. The first byte chooses the account, and whether the rest is the body
 * or a content that is signed and put into one here, so that what lies behind the signature is reached.
 *
 * Claims: without the salt nothing is accepted where there is one; with it, no signature is refused; a refusal says
 * why, and its answer has none of the words that the carrier takes for a success.
 */
#include "channel/express.h"

#include <stdio.h>
#include <string.h>

#include "fuzz.h"
#include "support/channel_rig.h"

#define NOW 1770400000
#define SALT "a salt that no fuzzer guesses"

static struct rig rig;

static void forget(void)
{
    rig_done(&rig);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    struct err err = {0};
    (void)argc;
    (void)argv;
    rig_begin(&rig);
    rig_put(&rig, "salt", SALT "\n", 0600);
    rig_put(&rig, "accounts.json",
            "{\"express\":{\"json\":{\"form\":\"json\"},\"kuaidi100\":{\"form\":\"kuaidi100\",\"salt_file\":\"salt\"},"
            "\"sf\":{\"form\":\"sf\"},\"kdniao\":{\"form\":\"kdniao\",\"salt_file\":\"salt\"},"
            "\"cainiao\":{\"form\":\"cainiao\",\"salt_file\":\"salt\"},"
            "\"gbk\":{\"form\":\"kuaidi100\",\"salt_file\":\"salt\",\"charset\":\"GBK\"}}}",
            0644);
    CLAIM(accounts_read(rig_path(&rig, "accounts.json"), &rig.accounts, &err) == RC_OK);
    (void)atexit(forget);
    return 0;
}

static const char *success_of(enum carrier_form form, bool xml)
{
    return form == CARRIER_SF ? (xml ? "OK" : "0000") : (xml ? ">true<" : "true");
}

static void judge(const struct account *account, const void *body, size_t n, bool with_salt)
{
    const struct capture c = {.body = body, .body_n = n};
    const struct express_account *own = account->own;
    (void)channel_verify(account, &c, NOW, &rig.arena, &rig.v);
    channel_answer(account, &rig.v, &rig.arena, &rig.answer);
    bool salted = own->salt_n > 0;
    if (rig.v.reason == REASON_OK) {
        CLAIM(rig.answer.status == 200 && rig.v.express != NULL && rig.v.genuine == salted && (with_salt || !salted));
    } else {
        CLAIM(rig.v.detail[0] != '\0' && rig.answer.status >= 400 && rig.v.express == NULL);
        CLAIM(!with_salt || rig.v.reason != REASON_SIG_INVALID);
        /* Our own form repeats which member was wrong, escaped. */
        bool xml = rig.v.echo != NULL && rig.v.echo->xml;
        CLAIM(own->form == CARRIER_JSON ? strncmp(rig.answer.body, "{\"ok\":false,", 12) == 0
                                        : strstr(rig.answer.body, success_of(own->form, xml)) == NULL);
    }
    arena_reset(&rig.arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const ACCOUNTS[] = {"json", "kuaidi100", "sf", "kdniao", "cainiao", "gbk"};
    char signature[CARRIER_SIGNATURE_MAX];
    CLEANUP(buf_done) struct buf body;
    CLEANUP(freep) char *text = NULL;
    buf_init(&body, (size_t)1 << 20);
    if (size == 0) {
        return 0;
    }
    const struct account *account = accounts_find(rig.accounts, CHANNEL_EXPRESS, ACCOUNTS[data[0] % 6]);
    enum carrier_form form = express_form(account);
    text = xstrndup((const char *)data + 1, size - 1);
    size_t n = strlen(text);
    if ((data[0] & 0x40) == 0) {
        judge(account, data + 1, size - 1, false);
        return 0;
    }
    bool sign = carrier_sign(form, text, n, SALT, strlen(SALT), signature);
    (void)carrier_make_body(form, text, n, sign ? signature : NULL, &body);
    if (!body.overflow) {
        judge(account, buf_str(&body), body.len, sign);
    }
    return 0;
}
