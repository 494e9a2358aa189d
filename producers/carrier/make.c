/* SPDX-License-Identifier: Apache-2.0 */
/* Calls of one's own in each form, for tests and benches. */
#include <string.h>

#include "base/clock.h"
#include "carrier/carrier.h"
#include "carrier/date.h"
#include "carrier/status.h"

#define FORM "application/x-www-form-urlencoded; charset=utf-8"

static void add_text(struct buf *out, const char *before, const char *value)
{
    (void)buf_puts(out, before);
    (void)buf_json_string(out, value, strlen(value));
}

/* In China's time, of whole seconds. */
static void add_time(struct buf *out, const char *before, int64_t at_us)
{
    char at[DATE_TEXT_MAX];
    date_text(at_us / 1000000, at);
    add_text(out, before, at);
}

static const char *code_of(enum carrier_form form, const struct carrier_node *node)
{
    const char *code = node->code != NULL ? node->code : status_code(form, node->status);
    return code == NULL ? "" : code;
}

static void make_json(const struct carrier_saying *s, struct buf *out)
{
    const struct carrier_node *node = &s->nodes[s->n_nodes - 1];
    char at[CLOCK_RFC3339_MAX];
    clock_rfc3339(node->at_us, at);
    add_text(out, "{\"tracking_no\":", s->tracking_no);
    if (s->carrier != NULL) {
        add_text(out, ",\"carrier\":", s->carrier);
    }
    add_text(out, ",\"status\":", code_of(CARRIER_JSON, node));
    add_text(out, ",\"context\":", node->context);
    add_text(out, ",\"time\":", at);
    (void)buf_putc(out, '}');
}

static void make_kuaidi100(const struct carrier_saying *s, struct buf *out)
{
    const struct carrier_node *newest = &s->nodes[s->n_nodes - 1];
    add_text(out, "{\"status\":",
             s->whole                               ? "updateall"
             : express_status_final(newest->status) ? "shutdown"
                                                    : "polling");
    add_text(out, ",\"message\":\"\",\"lastResult\":{\"message\":\"ok\",\"status\":\"200\",\"com\":",
             s->carrier == NULL ? "" : s->carrier);
    add_text(out, ",\"nu\":", s->tracking_no);
    add_text(out, ",\"state\":", code_of(CARRIER_KUAIDI100, newest));
    (void)buf_puts(out, ",\"data\":[");
    for (size_t i = s->n_nodes; i > 0; i--) {
        const struct carrier_node *node = &s->nodes[i - 1];
        add_text(out, i == s->n_nodes ? "{\"context\":" : ",{\"context\":", node->context);
        add_time(out, ",\"time\":", node->at_us);
        add_time(out, ",\"ftime\":", node->at_us);
        add_text(out, ",\"statusCode\":", code_of(CARRIER_KUAIDI100, node));
        (void)buf_putc(out, '}');
    }
    (void)buf_puts(out, "]}}");
}

static void make_kdniao(const struct carrier_saying *s, struct buf *out)
{
    add_time(out, "{\"EBusinessID\":\"1000000\",\"Count\":\"1\",\"PushTime\":", s->now_s * 1000000);
    add_text(out, ",\"Data\":[{\"EBusinessID\":\"1000000\",\"Success\":true,\"ShipperCode\":",
             s->carrier == NULL ? "" : s->carrier);
    add_text(out, ",\"LogisticCode\":", s->tracking_no);
    add_text(out, ",\"StateEx\":", code_of(CARRIER_KDNIAO, &s->nodes[s->n_nodes - 1]));
    (void)buf_puts(out, ",\"Traces\":[");
    for (size_t i = 0; i < s->n_nodes; i++) {
        add_time(out, i == 0 ? "{\"AcceptTime\":" : ",{\"AcceptTime\":", s->nodes[i].at_us);
        add_text(out, ",\"AcceptStation\":", s->nodes[i].context);
        add_text(out, ",\"Action\":", code_of(CARRIER_KDNIAO, &s->nodes[i]));
        (void)buf_putc(out, '}');
    }
    (void)buf_puts(out, "]}]}");
}

static void make_sf(const struct carrier_saying *s, struct buf *out)
{
    (void)buf_puts(out, "{\"Body\":{\"WaybillRoute\":[");
    for (size_t i = 0; i < s->n_nodes; i++) {
        add_text(out, i == 0 ? "{\"mailno\":" : ",{\"mailno\":", s->tracking_no);
        add_time(out, ",\"acceptTime\":", s->nodes[i].at_us);
        add_text(out, ",\"remark\":", s->nodes[i].context);
        add_text(out, ",\"opCode\":", code_of(CARRIER_SF, &s->nodes[i]));
        (void)buf_putc(out, '}');
    }
    (void)buf_puts(out, "]}}");
}

static void make_cainiao(const struct carrier_saying *s, struct buf *out)
{
    add_text(out, "{\"mailNo\":", s->tracking_no);
    if (s->carrier != NULL) {
        add_text(out, ",\"cpCode\":", s->carrier);
    }
    (void)buf_puts(out, ",\"traces\":[");
    for (size_t i = 0; i < s->n_nodes; i++) {
        add_time(out, i == 0 ? "{\"time\":" : ",{\"time\":", s->nodes[i].at_us);
        add_text(out, ",\"action\":", code_of(CARRIER_CAINIAO, &s->nodes[i]));
        add_text(out, ",\"desc\":", s->nodes[i].context);
        (void)buf_putc(out, '}');
    }
    (void)buf_puts(out, "]}");
}

/* ---------------------------------------------------------------------------------------------------------- XML */

static void add_xml(struct buf *out, const char *before, const char *value, const char *behind)
{
    (void)buf_puts(out, before);
    for (const char *c = value; *c != '\0'; c++) {
        switch (*c) {
        case '&':
            (void)buf_puts(out, "&amp;");
            break;
        case '<':
            (void)buf_puts(out, "&lt;");
            break;
        case '"':
            (void)buf_puts(out, "&quot;");
            break;
        default:
            (void)buf_putc(out, *c);
        }
    }
    (void)buf_puts(out, behind);
}

static void make_sf_xml(const struct carrier_saying *s, struct buf *out)
{
    (void)buf_puts(out,
                   "<?xml version='1.0' encoding='UTF-8'?><Request service=\"RoutePushService\" lang=\"zh-CN\"><Body>");
    for (size_t i = 0; i < s->n_nodes; i++) {
        char at[DATE_TEXT_MAX];
        date_text(s->nodes[i].at_us / 1000000, at);
        add_xml(out, "<WaybillRoute mailno=\"", s->tracking_no, "\"");
        add_xml(out, " acceptTime=\"", at, "\"");
        add_xml(out, " remark=\"", s->nodes[i].context, "\"");
        add_xml(out, " opCode=\"", code_of(CARRIER_SF, &s->nodes[i]), "\"/>");
    }
    (void)buf_puts(out, "</Body></Request>");
}

static void make_cainiao_xml(const struct carrier_saying *s, struct buf *out)
{
    add_xml(out, "<request><mailNo>", s->tracking_no, "</mailNo>");
    if (s->carrier != NULL) {
        add_xml(out, "<cpCode>", s->carrier, "</cpCode>");
    }
    (void)buf_puts(out, "<traces>");
    for (size_t i = 0; i < s->n_nodes; i++) {
        char at[DATE_TEXT_MAX];
        date_text(s->nodes[i].at_us / 1000000, at);
        add_xml(out, "<trace><time>", at, "</time>");
        add_xml(out, "<action>", code_of(CARRIER_CAINIAO, &s->nodes[i]), "</action>");
        add_xml(out, "<desc>", s->nodes[i].context, "</desc></trace>");
    }
    (void)buf_puts(out, "</traces></request>");
}

void carrier_make(enum carrier_form form, const struct carrier_saying *saying, struct buf *content)
{
    static void (*const MAKE[CARRIER_FORMS][2])(const struct carrier_saying *, struct buf *) = {
        [CARRIER_JSON] = {make_json, make_json},
        [CARRIER_KUAIDI100] = {make_kuaidi100, make_kuaidi100},
        [CARRIER_SF] = {make_sf, make_sf_xml},
        [CARRIER_KDNIAO] = {make_kdniao, make_kdniao},
        [CARRIER_CAINIAO] = {make_cainiao, make_cainiao_xml},
    };
    if (saying->n_nodes > 0) {
        MAKE[form][saying->xml ? 1 : 0](saying, content);
    }
}

/* ------------------------------------------------------------------------------------------------------- bodies */

static void add_param(struct buf *out, const char *name, const char *value, size_t n)
{
    static const char PLAIN[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._*";
    (void)buf_printf(out, "%s%s=", out->len == 0 ? "" : "&", name);
    for (size_t i = 0; i < n; i++) {
        if (value[i] != '\0' && strchr(PLAIN, value[i]) != NULL) {
            (void)buf_putc(out, value[i]);
        } else {
            (void)buf_printf(out, "%%%02X", (unsigned)(unsigned char)value[i]);
        }
    }
}

const char *carrier_make_body(enum carrier_form form, const char *content, size_t n, const char *signature,
                              struct buf *body)
{
    static const struct {
        const char *name, *value;
    } BESIDE[CARRIER_FORMS][2] = {
        [CARRIER_KDNIAO] = {{"EBusinessID", "1000000"}, {"RequestType", "102"}},
        [CARRIER_CAINIAO] = {{"msg_type", "TRACEPUSH"}, {"logistic_provider_id", "sluice"}},
    };
    const struct carrier_facts *facts = carrier_facts(form);
    size_t blanks = strspn(content, " \t\r\n");
    if (facts->content == NULL || (facts->bare_too && blanks < n && content[blanks] == '{')) {
        (void)buf_add(body, content, n);
        return "application/json";
    }
    add_param(body, facts->content, content, n);
    if (signature != NULL && facts->signature != NULL) {
        add_param(body, facts->signature, signature, strlen(signature));
    }
    for (size_t i = 0; i < 2 && BESIDE[form][i].name != NULL; i++) {
        add_param(body, BESIDE[form][i].name, BESIDE[form][i].value, strlen(BESIDE[form][i].value));
    }
    return FORM;
}
