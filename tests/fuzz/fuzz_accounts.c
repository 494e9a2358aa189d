/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Target: the accounts file, beside files that it may name; and, with another first byte, a key's file.
 *
 * Claims: it is read, or refused as configuration with one line that names the file; nothing of the APIv3 key is in it.
 */
#include "crypto/rsa.h"
#include "fuzz_channel.h"

static struct rig rig;

static void forget(void)
{
    rig_done(&rig);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    rig_begin(&rig);
    (void)atexit(forget);
    return 0;
}

static void say(void *opaque, const struct account *account, bool wrong, const char *text)
{
    (void)opaque;
    (void)wrong;
    CLAIM(account != NULL && text[0] != '\0');
}

static void key(const char *text, size_t n)
{
    struct err err = {0};
    struct rsa_key *rsa = NULL;
    struct rsa_certificate cert = {0};
    if (rsa_read_public(text, n, &rsa, &cert, &err) == RC_OK) {
        CLAIM(rsa_bits(rsa) >= RSA_BITS_MIN && !rsa_can_sign(rsa));
        rsa = rsa_unref(rsa);
    } else {
        CLAIM(err_is_config(&err) && err.text[0] != '\0');
    }
    if (rsa_read_private(text, n, &rsa, &err) == RC_OK) {
        CLAIM(rsa_can_sign(rsa));
        rsa = rsa_unref(rsa);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err err = {0};
    struct accounts *accounts = NULL;
    if (size > 0 && data[0] == 'K') {
        key((const char *)data + 1, size - 1);
        return 0;
    }
    FILE *f = fopen(rig_path(&rig, "accounts.json"), "w");
    CLAIM(f != NULL && fwrite(data, 1, size, f) == size && fclose(f) == 0);
    enum rc rc = accounts_read(rig_path(&rig, "accounts.json"), &accounts, &err);
    if (rc != RC_OK) {
        CLAIM(rc == RC_FATAL && err_is_config(&err) && strncmp(err.text, rig.directory, strlen(rig.directory)) == 0);
        CLAIM(accounts == NULL);
        CLAIM(strstr(err.text, RIG_APIV3_KEY) == NULL || memmem(data, size, RIG_APIV3_KEY, 32) != NULL);
        return 0;
    }
    for (size_t i = 0; i < accounts_count(accounts); i++) {
        struct account *a = accounts_at(accounts, i);
        CLAIM(accounts_find(accounts, a->channel, a->name) == a);
        CHANNEL_OPS[a->channel].check(a, RIG_NOW, say, NULL);
        (void)CHANNEL_OPS[a->channel].expires_s(a);
    }
    accounts = accounts_free(accounts);
    return 0;
}
