/* SPDX-License-Identifier: Apache-2.0 */
/* Known answers: test cases 14 and 16 of the paper on GCM, with its 12-byte nonce, and 18, with one of 60 bytes. */
#include "crypto/aes_gcm.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define KEY "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308"
#define PLAIN                                                                                                      \
    "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0d" \
    "e657ba637b39"
#define AAD "feedfacedeadbeeffeedfacedeadbeefabaddad2"

static const struct {
    const char *key, *nonce, *aad, *plain, *sealed;
} CASES[] = {
    {"0000000000000000000000000000000000000000000000000000000000000000", "000000000000000000000000", "",
     "00000000000000000000000000000000", "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919"},
    {KEY, "cafebabefacedbaddecaf888", AAD, PLAIN,
     "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0a"
     "bcc9f66276fc6ece0f4e1768cddf8853bb2d551b"},
    {KEY,
     "9313225df88406e555909c5aff5269aa6a7a9538534f7da1e4c303d2a318a728c3c0c95156809539fcf0e2429a6b525416aedbf5a0de6a57"
     "a637b39b",
     AAD, PLAIN,
     "5a8def2f0c9e53f1f75d7853659e2a20eeb2b22aafde6419a058ab4f6f746bf40fc0c3b780f244452da3ebf1c5d82cdea2418997200ef82e"
     "44ae7e3fa44a8266ee1c8eb0c8b5d4cf5ae9f19a"},
};

static size_t bytes_of(const char *hex, unsigned char *out)
{
    size_t n = strlen(hex) / 2;
    for (size_t i = 0; i < n; i++) {
        const char pair[] = {hex[2 * i], hex[2 * i + 1], '\0'};
        out[i] = (unsigned char)strtoul(pair, NULL, 16);
    }
    return n;
}

Test(aes_gcm, known_answers_in_both_directions)
{
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        unsigned char key[32];
        unsigned char nonce[64];
        unsigned char aad[64];
        unsigned char plain[64];
        unsigned char sealed[96];
        unsigned char got[96];
        (void)bytes_of(CASES[i].key, key);
        size_t nonce_n = bytes_of(CASES[i].nonce, nonce);
        size_t aad_n = bytes_of(CASES[i].aad, aad);
        size_t n = bytes_of(CASES[i].plain, plain);
        cr_assert_eq(bytes_of(CASES[i].sealed, sealed), n + AES_GCM_TAG_BYTES);
        const struct aes_gcm g = {.key = key, .nonce = nonce, .nonce_n = nonce_n, .aad = aad, .aad_n = aad_n};
        aes_gcm_seal(&g, plain, n, got);
        cr_expect_arr_eq(got, sealed, n + AES_GCM_TAG_BYTES, "case %zu", i);
        cr_expect(aes_gcm_open(&g, sealed, n + AES_GCM_TAG_BYTES, got), "case %zu", i);
        cr_expect_arr_eq(got, plain, n, "case %zu", i);
    }
}

Test(aes_gcm, one_bit_anywhere_and_nothing_comes_out)
{
    static const unsigned char ZEROS[4];
    unsigned char key[32] = "0123456789abcdef0123456789ABCDE";
    unsigned char sealed[4 + AES_GCM_TAG_BYTES];
    unsigned char out[4];
    const struct aes_gcm g = {.key = key, .nonce = "gcm-nonce-12", .nonce_n = 12, .aad = "id", .aad_n = 2};
    aes_gcm_seal(&g, "text", 4, sealed);
    for (size_t i = 0; i < sizeof sealed; i++) {
        sealed[i] ^= 1;
        cr_expect_not(aes_gcm_open(&g, sealed, sizeof sealed, out), "byte %zu", i);
        cr_expect_arr_eq(out, ZEROS, 4);
        sealed[i] ^= 1;
    }
    struct aes_gcm other = g;
    other.aad = "ie";
    cr_expect_not(aes_gcm_open(&other, sealed, sizeof sealed, out));
    other = g;
    other.nonce = "gcm-nonce-13";
    cr_expect_not(aes_gcm_open(&other, sealed, sizeof sealed, out));
    cr_expect_not(aes_gcm_open(&g, sealed, AES_GCM_TAG_BYTES - 1, out), "shorter than a tag");
    cr_expect(aes_gcm_open(&g, sealed, sizeof sealed, out));
}

Test(aes_gcm, nothing_is_sealed_to_a_tag)
{
    unsigned char key[32] = "0123456789abcdef0123456789ABCDE";
    unsigned char sealed[AES_GCM_TAG_BYTES];
    const struct aes_gcm g = {.key = key, .nonce = "gcm-nonce-12", .nonce_n = 12};
    aes_gcm_seal(&g, NULL, 0, sealed);
    cr_expect(aes_gcm_open(&g, sealed, sizeof sealed, NULL));
}
