/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Carriers' calls: cut into parameters, the signature over the content's bytes as they are then, the charset, and only
 * then the content. Without a salt the account knows no signature, and the call is not called genuine.
 */
#include "channel/express.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "channel/channels.h"
#include "channel/form.h"

struct parts {
    const char *content;
    size_t content_n;
    const char *signature; /* NULL = missing */
    const char *kind;      /* NULL = missing */
};

/* The first character that is no blank; 0: there is none. */
static char first_of(const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (strchr(" \t\r\n", text[i]) == NULL || text[i] == '\0') {
            return text[i];
        }
    }
    return '\0';
}

static bool is_bare(const struct carrier_facts *facts, const struct capture *c)
{
    char first = first_of(c->body, c->body_n);
    return facts->content == NULL || (facts->bare_too && (first == '{' || first == '<'));
}

static const struct form_param *param_of(const struct form *form, const char *name)
{
    for (size_t i = 0; name != NULL && i < form->n; i++) {
        if (strcmp(form->params[i].name, name) == 0) {
            return &form->params[i];
        }
    }
    return NULL;
}

/* NULL: it is not there, or empty. */
static const char *value_of(const struct form *form, const char *name)
{
    const struct form_param *p = param_of(form, name);
    return p == NULL || p->value_n == 0 ? NULL : p->value;
}

static enum channel_reason cut(const struct carrier_facts *facts, const struct capture *c, struct arena *arena,
                               struct parts *out, struct carrier_echo *echo, struct verdict *v)
{
    struct form form;
    if (is_bare(facts, c)) {
        *out = (struct parts){.content = arena_strndup(arena, c->body, c->body_n), .content_n = c->body_n};
        echo->xml = facts->xml_too && first_of(out->content, out->content_n) == '<';
        return REASON_OK;
    }
    if (form_parse(c->body, c->body_n, arena, &form, v) != REASON_OK) {
        return v->reason;
    }
    const char *party = value_of(&form, facts->party);
    const struct form_param *content = param_of(&form, facts->content);
    echo->party = party != NULL && carrier_party_ok(party) ? party : NULL;
    if (content == NULL || content->value_n == 0) {
        return verdict_refuse(v, REASON_BODY_MALFORMED, "%s: missing, expected a form with this parameter",
                              facts->content);
    }
    *out = (struct parts){.content = content->value,
                          .content_n = content->value_n,
                          .signature = value_of(&form, facts->signature),
                          .kind = value_of(&form, facts->kind)};
    echo->xml = facts->xml_too && first_of(out->content, out->content_n) == '<';
    return REASON_OK;
}

static enum channel_reason check_signature(const struct express_account *own, const struct parts *parts,
                                           struct verdict *v)
{
    const char *name = carrier_facts(own->form)->signature;
    const struct sha256_part part = {parts->content, parts->content_n};
    if (own->salt_n == 0) {
        return REASON_OK;
    }
    v->key_known = true;
    if (parts->signature == NULL) {
        return verdict_refuse(v, REASON_SIG_INVALID, "%s: missing, and the account has a salt", name);
    }
    if (!carrier_signed(own->form, parts->content, parts->content_n, own->salt, own->salt_n, parts->signature)) {
        return verdict_refuse(v, REASON_SIG_INVALID, "%s: does not fit the content and the account's salt", name);
    }
    verdict_genuine(v, CHANNEL_EXPRESS, &part, 1, parts->signature, strlen(parts->signature));
    return REASON_OK;
}

/* What the content says of its charset: <?xml version="1.0" encoding="GBK"?>. */
static enum charset declared(const struct parts *parts)
{
    char head[128];
    char name[16];
    size_t n = parts->content_n < sizeof head - 1 ? parts->content_n : sizeof head - 1;
    memcpy(head, parts->content, n);
    head[n] = '\0';
    const char *end = strstr(head, "?>");
    const char *at = strstr(head, "encoding=");
    if (strncmp(head, "<?xml", 5) != 0 || end == NULL || at == NULL || at > end) {
        return CHARSET_UTF8;
    }
    at += strlen("encoding=");
    size_t name_n = strcspn(at + 1, "\"'");
    (void)snprintf(name, sizeof name, "%.*s", name_n < sizeof name ? (int)name_n : 0, at + 1);
    return charset_find(name);
}

static enum channel_reason to_utf8(const struct express_account *own, struct parts *parts, struct arena *arena,
                                   struct verdict *v)
{
    enum charset charset = own->charset != CHARSET_UNKNOWN ? own->charset : declared(parts);
    const char *name = carrier_facts(own->form)->content == NULL ? "body" : carrier_facts(own->form)->content;
    if (memchr(parts->content, '\0', parts->content_n) != NULL) {
        return verdict_refuse(v, REASON_BODY_MALFORMED, "%s: has a NUL in it", name);
    }
    if (charset == CHARSET_UNKNOWN) {
        return verdict_refuse(v, REASON_BODY_MALFORMED, "%s: declares a charset that is none of UTF-8, GBK, GB18030",
                              name);
    }
    if (charset != CHARSET_UTF8) {
        struct charset_reader *reader = charset_open(charset);
        const char *text = reader == NULL ? NULL : charset_utf8(reader, parts->content, parts->content_n, arena);
        charset_closep(&reader);
        parts->content = text;
        parts->content_n = text == NULL ? 0 : strlen(text);
    } else if (!charset_utf8_ok(parts->content, parts->content_n)) {
        parts->content = NULL;
    }
    return parts->content != NULL ? REASON_OK
                                  : verdict_refuse(v, REASON_BODY_MALFORMED, "%s: has bytes that are not %s", name,
                                                   charset == CHARSET_UTF8 ? "UTF-8" : "of the account's charset");
}

enum channel_reason express_verify(const struct account *account, const struct capture *c, int64_t now_s,
                                   struct arena *arena, struct verdict *v)
{
    const struct express_account *own = account->own;
    struct parts parts = {0};
    struct carrier_echo *echo = arena_alloc(arena, sizeof *echo);
    struct carrier_call *call = arena_alloc(arena, sizeof *call);
    char detail[CARRIER_DETAIL_MAX];
    *echo = (struct carrier_echo){.now_s = now_s};
    v->echo = echo;
    if (cut(carrier_facts(own->form), c, arena, &parts, echo, v) != REASON_OK ||
        check_signature(own, &parts, v) != REASON_OK || to_utf8(own, &parts, arena, v) != REASON_OK) {
        return v->reason;
    }
    const struct carrier_content content = {
        .text = parts.content, .n = parts.content_n, .kind = parts.kind, .now_s = now_s};
    if (!carrier_read(own->form, &content, arena, call, detail)) {
        return verdict_refuse(v, REASON_BODY_MALFORMED, "%s", detail);
    }
    v->express = call;
    return REASON_OK;
}
