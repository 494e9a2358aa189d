/* SPDX-License-Identifier: Apache-2.0 */
/* Headers of the PROXY protocol, cut at every byte and wrong in every field. */
#include "http/proxy_v2.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "http/net.h"

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define V4 "\x21\x11\0\x0c\xcb\0\x71\x07\x0a\0\0\1\x1f\x90\1\xbb"
#define V6 "\x21\x21\0\x24\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\7\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1\x1f\x90\1\xbb"

struct sample {
    const char *bytes;
    size_t n;
    const char *client; /* "" = the peer */
};
#define SAMPLE(text, client)           \
    {                                  \
        text, sizeof(text) - 1, client \
    }

static enum proxy_v2_result parse(const struct sample *s, size_t n, struct proxy_v2 *out)
{
    uint8_t *copy = xcalloc(n + 1, 1); /* so that the sanitizer sees a byte too many */
    memcpy(copy, s->bytes, n);
    uint8_t *exact = xrealloc(copy, n == 0 ? 1 : n);
    enum proxy_v2_result result = proxy_v2_parse(exact, n, out);
    free(exact);
    return result;
}

static void says(const struct proxy_v2 *header, const char *client)
{
    uint8_t bytes[NET_BYTES];
    char text[NET_TEXT_MAX] = "";
    if (header->client_n > 0) {
        cr_assert(net_bytes(&header->client.any, bytes));
        net_text(bytes, text);
    }
    cr_expect_str_eq(text, client);
}

Test(proxy_v2, good_headers_at_every_length)
{
    static const struct sample samples[] = {
        SAMPLE(SIGNATURE V4, "203.0.113.7"),
        SAMPLE(SIGNATURE V6, "2001:db8::7"),
        SAMPLE(SIGNATURE "\x20\0\0\0", ""),                                           /* LOCAL */
        SAMPLE(SIGNATURE "\x20\x11\0\x0c\xcb\0\x71\x07\x0a\0\0\1\x1f\x90\1\xbb", ""), /* with what is ignored */
        SAMPLE(SIGNATURE "\x20\xff\0\1x", ""),                                        /* the family, too */
        SAMPLE(SIGNATURE "\x21\0\0\0", ""),                                           /* UNSPEC */
        SAMPLE(SIGNATURE "\x21\0\0\3abc", ""),                                        /* with something */
        SAMPLE(SIGNATURE "\x21\x12\0\x0c\xcb\0\x71\x07\x0a\0\0\1\x1f\x90\1\xbb", ""), /* UDP */
        SAMPLE(SIGNATURE "\x21\x31\0\0", ""),                                         /* of its own machine */
        SAMPLE(SIGNATURE "\x21\x11\0\x13\xcb\0\x71\x07\x0a\0\0\1\x1f\x90\1\xbb\4\0\4abcd", "203.0.113.7"), /* TLV */
    };
    for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
        struct proxy_v2 header;
        for (size_t n = 0; n < samples[i].n; n++) {
            cr_expect_eq(parse(&samples[i], n, &header), PROXY_V2_MORE, "%zu cut at %zu", i, n);
            cr_expect_eq(header.bytes, n < PROXY_V2_BYTES_MIN ? PROXY_V2_BYTES_MIN : samples[i].n);
            cr_expect_eq(header.client_n, 0);
        }
        cr_expect_eq(parse(&samples[i], samples[i].n, &header), PROXY_V2_DONE, "%zu", i);
        cr_expect_eq(header.bytes, samples[i].n);
        says(&header, samples[i].client);
    }
}

Test(proxy_v2, what_follows_is_not_its_own)
{
    static const struct sample s = SAMPLE(SIGNATURE V4 "GET / HTTP/1.1\r\n", "");
    struct proxy_v2 header;
    cr_assert_eq(parse(&s, s.n, &header), PROXY_V2_DONE);
    cr_assert_eq(header.bytes, 28);
    cr_assert_eq(ntohs(header.client.v4.sin_port), 8080);
}

Test(proxy_v2, bad_headers)
{
    static const struct sample samples[] = {
        SAMPLE("GET / HTTP/1.1\r\n", ""),
        SAMPLE("PROXY TCP4 1.1.1.1 2.2.2.2 1 2\r\n", ""),
        SAMPLE("\x16\3\1\2\0\1\0\1\xfc\3\3", ""),
        SAMPLE(SIGNATURE "\x11\x11\0\x0c", ""),                                       /* version 1 */
        SAMPLE(SIGNATURE "\x31\x11\0\x0c", ""),                                       /* version 3 */
        SAMPLE(SIGNATURE "\x22\x11\0\x0c", ""),                                       /* no such command */
        SAMPLE(SIGNATURE "\x21\x41\0\0", ""),                                         /* no such family */
        SAMPLE(SIGNATURE "\x21\x13\0\x0c\xcb\0\x71\x07\x0a\0\0\1\x1f\x90\1\xbb", ""), /* no such transport */
        SAMPLE(SIGNATURE "\x21\x11\0\x0b\xcb\0\x71\x07\x0a\0\0\1\x1f\x90\1", ""),     /* a byte too few */
        SAMPLE(SIGNATURE "\x21\x21\0\x0c\xcb\0\x71\x07\x0a\0\0\1\x1f\x90\1\xbb", ""), /* IPv4 said to be IPv6 */
        SAMPLE(SIGNATURE "\x21\x11\7\xf1", ""),                                       /* 2,049 bytes */
        SAMPLE(SIGNATURE "\x20\0\xff\xff", ""),
    };
    static const struct sample longest = SAMPLE(SIGNATURE "\x20\0\7\xf0", "");
    struct proxy_v2 header;
    for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
        cr_expect_eq(parse(&samples[i], samples[i].n, &header), PROXY_V2_BAD, "%zu", i);
        cr_expect_eq(header.client_n, 0);
    }
    cr_assert_eq(parse(&longest, longest.n, &header), PROXY_V2_MORE);
    cr_assert_eq(header.bytes, PROXY_V2_BYTES_MAX);
    for (size_t i = 0; i < 12; i++) { /* each byte of the signature, as soon as it is there */
        char bytes[] = SIGNATURE;
        bytes[i] ^= 1;
        const struct sample s = {bytes, i + 1, ""};
        cr_expect_eq(parse(&s, i + 1, &header), PROXY_V2_BAD, "byte %zu", i);
        cr_expect_eq(parse(&s, i, &header), PROXY_V2_MORE);
    }
}
