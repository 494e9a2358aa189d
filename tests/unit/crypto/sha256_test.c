/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/sha256.h"

#include <criterion/criterion.h>
#include <string.h>

#include "crypto/hmac.h"

/* FIPS 180-2, appendix B.1; and the hash of nothing. */
#define OF_ABC "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define OF_NOTHING "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

static void expect(const unsigned char hash[SHA256_BYTES], const char *expected)
{
    char text[SHA256_HEX_BYTES];

    sha256_hex(hash, SHA256_BYTES, text);
    cr_expect_str_eq(text, expected);
}

Test(sha256, known_answers)
{
    unsigned char hash[SHA256_BYTES];

    sha256_of("abc", 3, hash);
    expect(hash, OF_ABC);
    sha256_of(NULL, 0, hash);
    expect(hash, OF_NOTHING);
}

Test(sha256, parts_are_one_text_and_the_result_may_stand_in_one_of_them)
{
    unsigned char hash[SHA256_BYTES] = {'a'};
    const struct sha256_part parts[] = {{hash, 1}, {"", 0}, {"bc", 2}};

    sha256_of_parts(parts, 3, hash);
    expect(hash, OF_ABC);
}

/* RFC 4231, test cases 2 and 6: a short key, and one longer than a block. */
Test(hmac, is_that_of_the_rfc)
{
    unsigned char key[131];
    unsigned char mac[SHA256_BYTES];
    char hex[SHA256_HEX_BYTES];
    const struct sha256_part halves[] = {{.bytes = "what do ya want ", .n = 16}, {.bytes = "for nothing?", .n = 12}};
    static const char text[] = "Test Using Larger Than Block-Size Key - Hash Key First";
    const struct sha256_part whole = {.bytes = text, .n = sizeof text - 1};

    hmac_sha256("Jefe", 4, halves, 2, mac);
    sha256_hex(mac, sizeof mac, hex);
    cr_assert_str_eq(hex, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    memset(key, 0xaa, sizeof key);
    hmac_sha256(key, sizeof key, &whole, 1, mac);
    sha256_hex(mac, sizeof mac, hex);
    cr_assert_str_eq(hex, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}
