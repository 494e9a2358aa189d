/* SPDX-License-Identifier: Apache-2.0 */
/* Signatures of carriers. The vectors were made with Python's hashlib and base64. */
#include <criterion/criterion.h>
#include <string.h>

#include "carrier/carrier.h"
#include "crypto/md5.h"

#define CONTENT "{\"status\":\"polling\",\"lastResult\":{\"nu\":\"V030344422\"}}"
#define HEX "6C9B50A6D19EE62BAD640DEC8DAFD200" /* with the salt f4Kz7 */
#define HEX_BASE64 "NmM5YjUwYTZkMTllZTYyYmFkNjQwZGVjOGRhZmQyMDA="
#define HEX_CAPITALS_BASE64 "NkM5QjUwQTZEMTlFRTYyQkFENjQwREVDOERBRkQyMDA="
#define RAW_BASE64 "bJtQptGe5iutZA3sja/SAA=="

static bool fits(enum carrier_form form, const char *salt, const char *signature)
{
    return carrier_signed(form, CONTENT, strlen(CONTENT), salt, strlen(salt), signature);
}

Test(carrier_sign, md5_is_that_of_rfc_1321)
{
    static const struct {
        const char *text, *hex;
    } ROWS[] = {{"", "d41d8cd98f00b204e9800998ecf8427e"},
                {"abc", "900150983cd24fb0d6963f7d28e17f72"},
                {"12345678901234567890123456789012345678901234567890123456789012345678901234567890",
                 "57edf4a22be3c955ac49da2e2107b67a"}};
    for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
        unsigned char md5[MD5_BYTES];
        char hex[MD5_HEX_BYTES];
        const struct sha256_part halves[] = {
            {ROWS[i].text, strlen(ROWS[i].text) / 2},
            {ROWS[i].text + strlen(ROWS[i].text) / 2, strlen(ROWS[i].text) - strlen(ROWS[i].text) / 2}};
        cr_assert(md5_of_parts(halves, 2, md5));
        sha256_hex(md5, MD5_BYTES, hex);
        cr_expect_str_eq(hex, ROWS[i].hex);
    }
}

Test(carrier_sign, each_carrier_writes_it_in_its_way)
{
    static const struct {
        enum carrier_form form;
        const char *signature;
    } ROWS[] = {{CARRIER_KUAIDI100, HEX}, {CARRIER_KDNIAO, HEX_BASE64}, {CARRIER_CAINIAO, RAW_BASE64}};
    for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
        char made[CARRIER_SIGNATURE_MAX];
        cr_assert(carrier_sign(ROWS[i].form, CONTENT, strlen(CONTENT), "f4Kz7", 5, made));
        cr_expect_str_eq(made, ROWS[i].signature, "%s", carrier_form_name(ROWS[i].form));
        cr_expect(fits(ROWS[i].form, "f4Kz7", made));
        cr_expect_not(fits(ROWS[i].form, "f4Kz8", made), "%s: another salt", carrier_form_name(ROWS[i].form));
    }
}

Test(carrier_sign, what_documents_disagree_on_is_taken_either_way)
{
    cr_expect(fits(CARRIER_KUAIDI100, "f4Kz7", "6c9b50a6d19ee62bad640dec8dafd200"));
    cr_expect(fits(CARRIER_KUAIDI100, "f4Kz7", "6C9b50A6D19ee62bad640DEC8dafd200"));
    cr_expect(fits(CARRIER_KDNIAO, "f4Kz7", HEX_CAPITALS_BASE64));
    cr_expect(fits(CARRIER_KDNIAO, "f4Kz7", RAW_BASE64));
    cr_expect(fits(CARRIER_CAINIAO, "salt4", "rn7BaLgVUh5+bMaDntuP5A=="));
    cr_expect(fits(CARRIER_CAINIAO, "salt4", "rn7BaLgVUh5 bMaDntuP5A=="), "a plus that was not encoded");
}

Test(carrier_sign, what_is_not_it_is_refused)
{
    static const struct {
        enum carrier_form form;
        const char *signature;
    } ROWS[] = {
        {CARRIER_KUAIDI100, ""},
        {CARRIER_KUAIDI100, "6C9B50A6D19EE62BAD640DEC8DAFD20"},   /* a digit less */
        {CARRIER_KUAIDI100, "6C9B50A6D19EE62BAD640DEC8DAFD2000"}, /* a digit more */
        {CARRIER_KUAIDI100, "6C9B50A6D19EE62BAD640DEC8DAFD201"},
        {CARRIER_KUAIDI100, "7C9B50A6D19EE62BAD640DEC8DAFD200"},
        {CARRIER_KUAIDI100, RAW_BASE64},
        {CARRIER_KUAIDI100, HEX_BASE64},
        {CARRIER_KDNIAO, ""},
        {CARRIER_KDNIAO, HEX},
        {CARRIER_KDNIAO, "NmM5YjUwYTZkMTllZTYyYmFkNjQwZGVjOGRhZmQyMDE="},
        {CARRIER_KDNIAO, "bJtQptGe5iutZA3sja/SAQ=="},
        {CARRIER_KDNIAO, "bJtQptGe5iutZA3sja/S"},
        {CARRIER_KDNIAO, "NmM5YjUwYTZkMTllZTYyYmFkNjQwZGVjOGRhZmQyMDA=NmM5YjUwYTZkMTllZTYyYmFkNjQwZGVjOGRhZmQyMDA="},
        {CARRIER_CAINIAO, ""},
        {CARRIER_CAINIAO, HEX_BASE64}, /* the wrong value that hexadecimal gives */
        {CARRIER_CAINIAO, HEX},
        {CARRIER_CAINIAO, "bJtQptGe5iutZA3sja/SAQ=="},
    };
    for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
        cr_expect_not(fits(ROWS[i].form, "f4Kz7", ROWS[i].signature), "%s %s", carrier_form_name(ROWS[i].form),
                      ROWS[i].signature);
    }
}

Test(carrier_sign, a_form_without_signatures_has_none_that_fits)
{
    static const enum carrier_form FORMS[] = {CARRIER_JSON, CARRIER_SF};
    for (size_t i = 0; i < ARRAY_SIZE(FORMS); i++) {
        char made[CARRIER_SIGNATURE_MAX];
        cr_expect_not(carrier_sign(FORMS[i], CONTENT, strlen(CONTENT), "f4Kz7", 5, made));
        cr_expect_not(fits(FORMS[i], "f4Kz7", HEX));
    }
}
