/* SPDX-License-Identifier: Apache-2.0 */
/* The characters of XML: what is between tags, and within quotes. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "carrier/xml_internal.h"

bool xml_malformed(const struct xml_parser *p, const char *what)
{
    if (p->why[0] == '\0') {
        (void)snprintf(p->why, XML_WHY_MAX, "XML, at byte %zu: %s", (size_t)(p->at - p->from), what);
    }
    return false;
}

void xml_skip_blanks(struct xml_parser *p)
{
    while (p->at < p->end && (*p->at == ' ' || *p->at == '\t' || *p->at == '\r' || *p->at == '\n')) {
        p->at++;
    }
}

bool xml_take(struct xml_parser *p, const char *word)
{
    size_t n = strlen(word);
    if ((size_t)(p->end - p->at) < n || memcmp(p->at, word, n) != 0) {
        return false;
    }
    p->at += n;
    return true;
}

bool xml_skip_past(struct xml_parser *p, const char *word)
{
    while (p->at < p->end) {
        if (xml_take(p, word)) {
            return true;
        }
        p->at++;
    }
    return xml_malformed(p, "something is not closed");
}

/* -------------------------------------------------------------------------------------------------------- texts */

static size_t put_utf8(uint32_t c, char *out)
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (char)(0xc0 | (c >> 6));
        out[1] = (char)(0x80 | (c & 0x3f));
        return 2;
    }
    if (c < 0x10000) {
        out[0] = (char)(0xe0 | (c >> 12));
        out[1] = (char)(0x80 | ((c >> 6) & 0x3f));
        out[2] = (char)(0x80 | (c & 0x3f));
        return 3;
    }
    out[0] = (char)(0xf0 | (c >> 18));
    out[1] = (char)(0x80 | ((c >> 12) & 0x3f));
    out[2] = (char)(0x80 | ((c >> 6) & 0x3f));
    out[3] = (char)(0x80 | (c & 0x3f));
    return 4;
}

static int digit_of(char c, int base)
{
    static const char DIGITS[] = "0123456789abcdef";
    char low = (char)(c >= 'A' && c <= 'F' ? c | 0x20 : c);
    const char *found = c == '\0' ? NULL : strchr(DIGITS, low);
    return found != NULL && found - DIGITS < base ? (int)(found - DIGITS) : -1;
}

/* &#20013; or &#x4e2d; behind its "&#". 0 = none that is allowed. */
static uint32_t parse_number(struct xml_parser *p)
{
    int base = xml_take(p, "x") ? 16 : 10;
    uint32_t c = 0;
    int n = 0;
    for (; p->at < p->end && digit_of(*p->at, base) >= 0 && n < 8; p->at++, n++) {
        c = c * (uint32_t)base + (uint32_t)digit_of(*p->at, base);
        if (c > 0x10ffff) {
            return 0;
        }
    }
    bool control = c < 0x20 && c != '\t' && c != '\n' && c != '\r';
    bool surrogate = c >= 0xd800 && c <= 0xdfff;
    return n == 0 || control || surrogate || !xml_take(p, ";") ? 0 : c;
}

/* Bytes written to out; 0: malformed. What is written is never longer than what was read. */
static size_t parse_reference(struct xml_parser *p, char *out)
{
    static const struct {
        const char *name;
        char c;
    } NAMED[] = {{"amp;", '&'}, {"lt;", '<'}, {"gt;", '>'}, {"quot;", '"'}, {"apos;", '\''}};
    if (xml_take(p, "#")) {
        uint32_t c = parse_number(p);
        return c == 0 ? 0 : put_utf8(c, out);
    }
    for (size_t i = 0; i < ARRAY_SIZE(NAMED); i++) {
        if (xml_take(p, NAMED[i].name)) {
            out[0] = NAMED[i].c;
            return 1;
        }
    }
    return 0;
}

bool xml_text(struct xml_parser *p, char stop, char *out, size_t *n)
{
    while (p->at < p->end && *p->at != stop) {
        char c = *p->at;
        bool control = (unsigned char)c < 0x20 && c != '\t' && c != '\n' && c != '\r';
        if (control || c == '<') {
            return xml_malformed(p, "a character that is not allowed in a text");
        }
        if (c != '&') {
            out[(*n)++] = c;
            p->at++;
            continue;
        }
        p->at++;
        size_t written = parse_reference(p, out + *n);
        if (written == 0) {
            return xml_malformed(p, "a reference that is none of &amp; &lt; &gt; &quot; &apos; &#N;");
        }
        *n += written;
    }
    return p->at < p->end || xml_malformed(p, "something is not closed");
}
