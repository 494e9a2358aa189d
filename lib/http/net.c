/* SPDX-License-Identifier: Apache-2.0 */
#include "http/net.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>

#include "base/mem.h"

bool net_same_prefix(const uint8_t *a, const uint8_t *b, unsigned bits)
{
    unsigned whole = bits / 8;
    unsigned rest = bits % 8;
    return memcmp(a, b, whole) == 0 && (rest == 0 || (a[whole] ^ b[whole]) >> (8 - rest) == 0);
}

bool net_bytes(const struct sockaddr *sa, uint8_t out[16])
{
    memset(out, 0, 16);
    if (sa->sa_family == AF_INET6) {
        memcpy(out, (const char *)sa + offsetof(struct sockaddr_in6, sin6_addr), 16);
        return true;
    }
    out[10] = out[11] = 0xff;
    memcpy(out + 12, (const char *)sa + offsetof(struct sockaddr_in, sin_addr), 4);
    return sa->sa_family == AF_INET;
}

bool net_bytes_of_text(const char *text, uint8_t out[NET_BYTES])
{
    memset(out, 0, NET_BYTES);
    if (inet_pton(AF_INET, text, out + 12) == 1) {
        out[10] = out[11] = 0xff;
        return true;
    }
    return inet_pton(AF_INET6, text, out) == 1;
}

void net_text(const uint8_t bytes[NET_BYTES], char *out)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    bool v4 = memcmp(bytes, mapped, sizeof mapped) == 0;
    (void)inet_ntop(v4 ? AF_INET : AF_INET6, v4 ? bytes + 12 : bytes, out, NET_TEXT_MAX);
}

static bool parse_net(const char *text, struct net *out)
{
    char address[NET_TEXT_MAX];
    size_t n = strcspn(text, "/");
    if (n == 0 || n >= sizeof address) {
        return false;
    }
    memcpy(address, text, n);
    address[n] = '\0';
    bool v4 = strchr(address, ':') == NULL;
    if (!net_bytes_of_text(address, out->bytes)) {
        return false;
    }
    unsigned bits = v4 ? 32 : 128;
    if (text[n] == '/') {
        const char *digits = text + n + 1;
        size_t count = strlen(digits);
        if (count == 0 || count > 3 || strspn(digits, "0123456789") != count || (digits[0] == '0' && count > 1)) {
            return false;
        }
        unsigned given = 0;
        for (; *digits != '\0'; digits++) {
            given = given * 10 + (unsigned)(*digits - '0');
        }
        if (given > bits) {
            return false;
        }
        bits = given;
    }
    out->bits = v4 ? bits + 96 : bits;
    uint8_t behind = 0; /* a bit behind the prefix is a mistake somewhere */
    for (unsigned i = out->bits; i < 128; i++) {
        behind |= (uint8_t)(out->bytes[i / 8] >> (7 - i % 8) & 1);
    }
    return behind == 0;
}

enum rc net_list_parse(const char *text, struct net_list *out_nets, struct err *err)
{
    static const char separators[] = ", \t\n";
    struct net_list nets = {0};
    for (text += strspn(text, separators); *text != '\0'; text += strspn(text, separators)) {
        size_t n = strcspn(text, separators);
        char item[NET_TEXT_MAX * 2] = "";
        memcpy(item, text, n < sizeof item ? n : sizeof item - 1);
        if (nets.n == NETS_MAX || !parse_net(item, &nets.nets[nets.n])) {
            (void)err_set(err, RC_FATAL, __FILE__, __LINE__,
                          nets.n == NETS_MAX
                              ? "\"%.64s\" is one network too many"
                              : "\"%.64s\" is not a network; expected e.g. 10.0.0.0/8, 127.0.0.1 or fd00::/8",
                          item);
            return err_code(err, ERR_CONFIG);
        }
        nets.n++;
        text += n;
    }
    *out_nets = nets;
    return RC_OK;
}

bool net_list_has(const struct net_list *list, const uint8_t bytes[NET_BYTES])
{
    for (size_t i = 0; i < list->n; i++) {
        if (net_same_prefix(bytes, list->nets[i].bytes, list->nets[i].bits)) {
            return true;
        }
    }
    return false;
}
