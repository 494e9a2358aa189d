/* SPDX-License-Identifier: Apache-2.0 */
/* Base64 and base64url: RFC 4648's vectors, and one spelling for each value. */
#include "crypto/base64.h"

#include <criterion/criterion.h>
#include <string.h>

#include "base/mem.h"

static const char *const PLAIN[] = {"", "f", "fo", "foo", "foob", "fooba", "foobar", "\xfb\xff\xfe"};
static const char *const PADDED[] = {"", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy", "+//+"};
static const char *const URL[] = {"", "Zg", "Zm8", "Zm9v", "Zm9vYg", "Zm9vYmE", "Zm9vYmFy", "-__-"};

Test(base64, published_vectors_in_both_directions)
{
    for (size_t i = 0; i < ARRAY_SIZE(PLAIN); i++) {
        char text[16];
        char bytes[16];
        size_t n = 99;
        base64_encode(PLAIN[i], strlen(PLAIN[i]), text);
        cr_assert_str_eq(text, PADDED[i]);
        cr_assert(base64_decode(PADDED[i], strlen(PADDED[i]), bytes, strlen(PLAIN[i]), &n));
        cr_assert(n == strlen(PLAIN[i]) && memcmp(bytes, PLAIN[i], n) == 0);
        base64url_encode(PLAIN[i], strlen(PLAIN[i]), text);
        cr_assert_str_eq(text, URL[i]);
        cr_assert_eq(strlen(text), BASE64URL_LENGTH(strlen(PLAIN[i])));
        n = 99;
        cr_assert(base64url_decode(URL[i], strlen(URL[i]), bytes, strlen(PLAIN[i]), &n));
        cr_assert(n == strlen(PLAIN[i]) && memcmp(bytes, PLAIN[i], n) == 0);
    }
}

Test(base64, other_spellings_are_refused)
{
    static const char *const padded[] = {"Zg",   "Zg=",      "Zg===",      "Zh==",    "Zm9=",  "=",
                                         "====", "Zm 9v",    "Zm9v\n",     " Zm9v",   "Zm9v=", "-__-",
                                         "Z=g=", "Zg==Zg==", "\xc3\xa4zz", "Zm9v===="};
    static const char *const url[] = {"Zg==", "Zg=",  "Z",      "Zm9vY", "Zh",   "Zm9",
                                      "+//+", "Zm 9", "Zm9v\n", " Zm9v", "Zm9v="};
    char bytes[32];
    size_t n = 0;
    for (size_t i = 0; i < ARRAY_SIZE(padded); i++) {
        cr_assert_not(base64_decode(padded[i], strlen(padded[i]), bytes, sizeof bytes, &n), "%s", padded[i]);
    }
    for (size_t i = 0; i < ARRAY_SIZE(url); i++) {
        cr_assert_not(base64url_decode(url[i], strlen(url[i]), bytes, sizeof bytes, &n), "%s", url[i]);
    }
}

Test(base64, nothing_is_written_behind_the_room)
{
    char bytes[3] = {1, 1, 1};
    size_t n = 0;
    cr_assert_not(base64_decode("Zm9v", 4, bytes, 2, &n));
    cr_assert_not(base64url_decode("Zm9v", 4, bytes, 2, &n));
    cr_assert_not(base64_decode("Zm8=", 4, bytes, 1, &n));
    cr_assert_not(base64url_decode("Zm8", 3, bytes, 1, &n));
    cr_assert_eq(bytes[2], 1);
}
