/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys of these tests, of nobody and for nothing else: making RSA keys for each test would take longer than the tests.
 */
#include "support/test_keys.h"

#include <openssl/bn.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* 2048 bits. */
const char TEST_KEY_A[] = "-----BEGIN PRIVATE KEY-----\n"
                          "MIIEvAIBADANBgkqhkiG9w0BAQEFAASCBKYwggSiAgEAAoIBAQDK5ej8m3mgfjp3\n"
                          "M7CwXEaxXixP+uvXp75YBBYyU21WGnLq0u6nMO0PNF7TR8TDbAMixr2AfFarv2Be\n"
                          "QxL59MKB4flvOaEFXANKyhCJBXlbw/9DAsnuH8MJXaSFqU46wEEo09O+5DarQdir\n"
                          "udROu5F91zXxtwnJO5vIjS1uf5VX1IzSJPpJBxjyxGu4IVmqJIM/Sh1/BtX1xtql\n"
                          "jAK02RNdagsNJWJK8UbQd1q5i7zf/zTEbMIlV7tyzbnmCDhpADDJuzaygi07Bv6y\n"
                          "w7R3jyd0htbuaPi1g2VRH85ULVWrYXV2OMAI8nLWPZdrWv3v8UMO6ysz1/ImP1Gy\n"
                          "o/CANPCxAgMBAAECggEAKSSCQFjhiqkV/25onXZ0skorl6NEuBPwbcYUXyuaH+vY\n"
                          "kiPoF1h9NYhT0yl6LXtlTmO48QklhQmXR733pt5aI764FvT7YQwVsdB0FmjZAUHm\n"
                          "7MZvvnzLzoYh0qWwcoriG56KkSqTKFp/jmDt+3Ie8ELX0jYgwqC29+2iwQWXebnH\n"
                          "9nBdbbbChTC/KQZ+e+EBlwpoTmMxa7K6kZ6UpaxKZhOThO4te3b0i40sN0+zbzWm\n"
                          "Xkse9vymnUiCaD0HStdm/MACTwTyodoI1uO/MO2ufmP5KHEiXAx7AeE1aCR4Jqw6\n"
                          "MKOja7pZQHtSrPGKjaUC5eghshTTspUPZdb9sLY4rQKBgQD4jtAkrAr4iN8RGZqc\n"
                          "xYNH+2/lYM18AcZ5zaWy9NdNnZ0SAk+D6T0QgSdL+dP7/m0hPJ9oEYzmO2QMeUrl\n"
                          "1H26/oJetFKKyKzf+YMywq08BBa9O4zq/1IeVhdeTdSjzPuT/1r24fitPE1JNASn\n"
                          "HIs/+VNN6hVjmtZbqdJNtZb4xQKBgQDQ+R3UWtC2HN1qV8IYC+diuc8RiDLLuMW6\n"
                          "yxOobivQZ5QJggGm481wESny6cWjSMFEGaNcltJbs85CVoPqi1OjYhwbIZLG6+mO\n"
                          "/6sycpMTLIsssIIzr8B6RxYvtMlQdsau8+LdimZnsHTdlzaaL/RXTBIDdHyF6oso\n"
                          "yVyTHxIe/QKBgBRb3kCituNUkrDb4AYnR3GF7sxi+XHG03L2nTPjSh9ZYZwwBENR\n"
                          "v2ayrX1ToUFqvZWTWZs0lM3m33MGHFRm60V9wz/ulTQ467AMx+pId9gKnbIyRoCZ\n"
                          "GSjS9GcNCPXBvHmK2PCP4caOweXVFOx7MgyzZ1dibQ4TiKtJZahnz03hAoGAENu3\n"
                          "+1SkN7zWY+jWgKgdL4q72Lc7GdI7KVmOqWzR3gstFyNEzNjdzuejkbQoPIb3CG5l\n"
                          "DmggakN0JUfjdn1s7uZQTCQGOkP34JBhmD1D/iz+wUkwB8lq5rJraMfV4cbjOmP0\n"
                          "bljm8AB9PQ8g2Yl61bwOS/cOwKLuPQkZjcjY5mUCgYAgOZEOufL/O53ptexCTQ0h\n"
                          "si7ic3AAaRIBE3GYoa4YrjEH7p82pn5rYiJGFacnJeJFF+3xhXyDdor5Oa5RioGP\n"
                          "j1dxwGqnWKE6gRrFd20dyGEbFQlXM0s5LIzOkTzP5Fxsbw745VWyknAk02ZNDbEA\n"
                          "OLFPgSWuBGmPRlz4N55t9w==\n"
                          "-----END PRIVATE KEY-----\n";

/* Another one. */
const char TEST_KEY_B[] = "-----BEGIN PRIVATE KEY-----\n"
                          "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQDP8Pupmb7SggGM\n"
                          "MKBAaV/lOGzAxkWqST3PFAcHoIENr9GLlKa5OrZCOFUEivdXo51zMet5jV6NfV03\n"
                          "mepcDV2Zm4Tr3ek7gk4vzRiXJXITcLmxPope1morA3OsGrk9OBb03nhZsdKuHTpZ\n"
                          "1WVmHnTOb7QDEpZxElbtdyi5RDqCqtYY9u3XviPq4PXqHoIT22CXgD//2AjecSjd\n"
                          "szY/M4G3NC8kMbklXnABe8CuWypLjtJAsiWQp/yjoiFU6ZfhQD8kPywZ0TyaB/KM\n"
                          "1f9BaeYon1ZNTkAzkePDu+RlVYsku8z5uWOzBUfkiZor5uwEphvJOlG0LqMMo5QU\n"
                          "hTUF/GYFAgMBAAECggEAUPzlt5+m36w82BIUSCICdG9uhAJ1HaabCS0es8zClscU\n"
                          "kQ2bheclF1ODYVqSjTKvXy9hLB1wZyEdjktHKQUXoH0e3xK2BTRyKVHzMuMltAai\n"
                          "fDMEh31xKkGU6sIZxYsz/bksHJsSmDfQAy8G6CgSjFibPtsddvqSmrhfRxEYzMzz\n"
                          "Dh78v1L5+LhfjsFzzAHda3jKo7//wjn4iqYo5OTlzIbMYFZylEPaF+03dxf1JLO2\n"
                          "CfRePt8KynrwJELgxHFCT9mdDYAR+jc5U3DTYooOWRu4loHkm8F/LUl5pkXEiXVI\n"
                          "6Zb7O0KLGtSP6lBP4xveg1M9i97flLkW/4OWP8eQ/QKBgQDn5wixcaATr+h+GhB9\n"
                          "9HrRc6l/JtT9pbYGOD+Ayu7y6JPKyaiYj72sCwAQzbWheoet/AaaE5T8PrLNC4Mo\n"
                          "+CwCV6NzcqcUBOeFmbmbM9u13DitS916eWHntaK8jxIfOVj5pya/ZRsmu6rO1T0K\n"
                          "CHB6aSMF+NJbdC8nmD0aVtDInwKBgQDljIuwQ+ZjKAWIlJ7a22lUoAz4leiud7VM\n"
                          "8asTWUVSuhSSxz7zZ63XF1D1OkPTaJA0sI/m4kmx9ZJCpy9ICIp8g8uz7ZHY92cO\n"
                          "ndwQag1P7fGPZfhg5Tjzl6ouXl4xH/3vqrZMTdtNbPP9Km6G38IyKuhcDwBV9i7D\n"
                          "MYbcRxt62wKBgFgPHPf0g6q2I3yu/RA3I+QhHX3RCxP+Nu6JsWOAq9fFhUl95e14\n"
                          "t7d6vd2jn5Lf6mGg0Aj14p8eV9sQwg9unZeOG90c7mDls9zBkP9kY8vdAhCcPE/j\n"
                          "g8/u4wri8Si2KBk05bvL8tF0ddnwkysaJUv2XHxKDeb4aWeJobo8uS9VAoGAD19z\n"
                          "N3HEqx1SCYySeuu4yR8S308CzzRbIvUIVPpkhx7JI+9OCvUFkmMQW+v0AON+zNiK\n"
                          "OpcrAk0E54vUwck4pRAag0lEvDgNYdA2na7Mh27S/5x/ntWbE80za3mMa1POKM/Q\n"
                          "95k7N5s1V94Qmt2/Xqa6+vdSOW+MQCw/8N6eO4MCgYEAma0KZyLcUuxBdQJQi2fy\n"
                          "9NnsGvcJVk8KdpTA2gnLcDSF0eGfTDswDNx4lt/SyJC2mEY6uqV9dJF9pm9HusYs\n"
                          "mDfieIKQsie5d76wZhidHBteJxfoVHI7kLXFi1XptAm/PGSosnw4+qN+JcdX6gjX\n"
                          "qr6T/2uvdj6rh3gxcQfEaMY=\n"
                          "-----END PRIVATE KEY-----\n";

/* 1024 bits: too short. */
const char TEST_KEY_WEAK[] = "-----BEGIN PRIVATE KEY-----\n"
                             "MIICdwIBADANBgkqhkiG9w0BAQEFAASCAmEwggJdAgEAAoGBALF8Sll1ankRLVgW\n"
                             "0Bz9ZCDOgvVXVSXhbk6V7iVQEC1H2EBpsOKjUC9MCNOOd/tMhiQUAZjjq+yxHGGZ\n"
                             "O6ANs/OxLpiH+u2s9doiqh89+ZiOF7aXUe/oYc+Rcpe7goWnk7/e502g5xCuUznp\n"
                             "GfWCXLmgL/V8AVmEX0J3t+2K0iOZAgMBAAECgYAld7KOXg4jDrA+11oJtKhNkKru\n"
                             "tggAni1WI6qJb/RqSq9pMaaowYcs5OU8G+hSQZ5TwXFw4CcsKVtvcxS2Pg5NujvF\n"
                             "tNbSobnvkK6bk/DIv7vHMuLae/I2hxZxybnob4G+YPAIS3P5Il+6ghhB52k6668L\n"
                             "ys0nLv5iwAawRNgBvQJBAOegBB+GpgC6aLAP2HvqIzueCLArwyJdsGXXGBXFE4r/\n"
                             "dzJL0HZgwCFRJKqLHJKBCkeO6HOZLE+9Shgh8crjee8CQQDEKcDvcreJXEztoZSh\n"
                             "YEBpBYz9qtJeH3YrbEK/jvYSseRe/q74JwJdqNKnCOYBuvbPOHVqYrMiIwn2fqUH\n"
                             "9mL3AkB697fYqNpunog/mFn9B0OnPfIs3T7eetDQcE4IGLWUYKX+XMOSZTD7PyHx\n"
                             "LKOBn+I+NT9xR4t/1eWFRFgit3ufAkEAigGCDjPb8hRwvsHtyjboObrA/XnfdH6X\n"
                             "6WbJ8vDGKFLlAvwU5tqy7GeohAFbqB38I79pw8XalwqlqLhirJ5n8wJBAKRUfyh8\n"
                             "+xssI2TEaM/zeC1MJv8apzqAiFXjQGSzkP2geUt6lIjCOlWpKyRL7bEtKEcB6NKU\n"
                             "GAWQoaNW6YCSEDA=\n"
                             "-----END PRIVATE KEY-----\n";

/* What a test needs and does not get ends it. */
static void need(bool holds)
{
    if (!holds) {
        abort();
    }
}

EVP_PKEY *test_key(const char *pem)
{
    BIO *bio = BIO_new_mem_buf(pem, -1);
    EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
    BIO_free(bio);
    need(key != NULL);
    return key;
}

/* Takes bio. */
static char *text_of(BIO *bio)
{
    char *data = NULL;
    long n = BIO_get_mem_data(bio, &data);
    char *text = xstrndup(data, (size_t)n);
    BIO_free(bio);
    return text;
}

char *test_public_pem(EVP_PKEY *key)
{
    BIO *bio = BIO_new(BIO_s_mem());
    need(PEM_write_bio_PUBKEY(bio, key) == 1);
    return text_of(bio);
}

char *test_public_bare(EVP_PKEY *key)
{
    unsigned char *der = NULL;
    int n = i2d_PUBKEY(key, &der);
    char *text = xcalloc(4096, 1);
    need(n > 0 && n < 3000);
    (void)EVP_EncodeBlock((unsigned char *)text, der, n);
    OPENSSL_free(der);
    return text;
}

static void set_names(X509 *x)
{
    X509_NAME *name = X509_get_subject_name(x);
    need(X509_NAME_add_entry_by_txt(name, "C", MBSTRING_ASC, (const unsigned char *)"CN", -1, -1, 0) == 1 &&
         X509_NAME_add_entry_by_txt(name, "O", MBSTRING_ASC, (const unsigned char *)"Pay, Test", -1, -1, 0) == 1 &&
         X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)"\xe8\x9a\x82 1", -1, -1, 0) ==
             1);
    need(X509_set_issuer_name(x, name) == 1);
}

char *test_certificate(EVP_PKEY *key, const char *serial_hex, int64_t not_before_s, int64_t not_after_s)
{
    X509 *x = X509_new();
    BIGNUM *serial = NULL;
    BIO *bio = BIO_new(BIO_s_mem());
    need(x != NULL && BN_hex2bn(&serial, serial_hex) > 0 &&
         BN_to_ASN1_INTEGER(serial, X509_get_serialNumber(x)) != NULL);
    need(ASN1_TIME_set(X509_getm_notBefore(x), (time_t)not_before_s) != NULL &&
         ASN1_TIME_set(X509_getm_notAfter(x), (time_t)not_after_s) != NULL);
    set_names(x);
    need(X509_set_version(x, 2) == 1 && X509_set_pubkey(x, key) == 1 && X509_sign(x, key, EVP_sha256()) > 0);
    need(PEM_write_bio_X509(bio, x) == 1);
    BN_free(serial);
    X509_free(x);
    return text_of(bio);
}

char *test_sign(EVP_PKEY *key, const void *text, size_t n)
{
    unsigned char signature[1024];
    size_t signature_n = sizeof signature;
    char *base64 = xcalloc(2048, 1);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    need(EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key) == 1 &&
         EVP_DigestSign(ctx, signature, &signature_n, text, n) == 1);
    EVP_MD_CTX_free(ctx);
    (void)EVP_EncodeBlock((unsigned char *)base64, signature, (int)signature_n);
    return base64;
}

char *test_seal(const char *key, const char *nonce, const char *aad, const char *plain)
{
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    int n = 0;
    int plain_n = (int)strlen(plain);
    unsigned char *sealed = xcalloc((size_t)plain_n + 32, 1);
    char *base64 = xcalloc((size_t)plain_n * 2 + 64, 1);
    need(EVP_EncryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, NULL, NULL) == 1 &&
         EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_SET_IVLEN, (int)strlen(nonce), NULL) == 1 &&
         EVP_EncryptInit_ex(ctx, NULL, NULL, (const unsigned char *)key, (const unsigned char *)nonce) == 1);
    if (aad != NULL && aad[0] != '\0') {
        need(EVP_EncryptUpdate(ctx, NULL, &n, (const unsigned char *)aad, (int)strlen(aad)) == 1);
    }
    need(EVP_EncryptUpdate(ctx, sealed, &n, (const unsigned char *)plain, plain_n) == 1 &&
         EVP_EncryptFinal_ex(ctx, sealed + plain_n, &n) == 1 &&
         EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_GET_TAG, 16, sealed + plain_n) == 1);
    EVP_CIPHER_CTX_free(ctx);
    (void)EVP_EncodeBlock((unsigned char *)base64, sealed, plain_n + 16);
    free(sealed);
    return base64;
}
