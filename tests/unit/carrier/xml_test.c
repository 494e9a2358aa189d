/* SPDX-License-Identifier: Apache-2.0 */
/* The little XML: what it takes, and that it takes nothing else. */
#include "carrier/xml.h"

#include "rig.h"

TestSuite(carrier_xml, .init = rig_setup, .fini = rig_teardown);

static char why[XML_WHY_MAX];

static struct body_value *parse(const char *text)
{
    return xml_parse(text, strlen(text), &rig.arena, why);
}

static const struct body_value *member(const struct body_value *v, const char *name)
{
    static const struct body_value NONE = {.type = BODY_NULL, .text = ""};
    const struct body_value *m = v->first;
    while (m != NULL && strcmp(m->key, name) != 0) {
        m = m->next;
    }
    return m == NULL ? &NONE : m;
}

Test(carrier_xml, elements_are_members)
{
    const struct body_value *root =
        parse("<?xml version=\"1.0\"?> <!-- a --><r a='1' b=\"2\">\n <c> x y </c><d/><e f=''/>"
              "<g>1</g><g>2</g><g h='3'/></r> <!-- b -->");
    cr_assert_not_null(root, "%s", why);
    cr_expect(root->type == BODY_OBJECT && strcmp(root->key, "r") == 0 && root->n == 6);
    cr_expect_str_eq(member(root, "a")->text, "1");
    cr_expect_str_eq(member(root, "b")->text, "2");
    cr_expect_str_eq(member(root, "c")->text, "x y");
    cr_expect(member(root, "d")->type == BODY_STRING && member(root, "d")->n == 0);
    cr_expect(member(root, "e")->type == BODY_OBJECT);
    const struct body_value *g = member(root, "g");
    cr_assert(g->type == BODY_ARRAY && g->n == 3);
    cr_expect_str_eq(g->first->text, "1");
    cr_expect_str_eq(g->first->next->text, "2");
    cr_expect(g->first->next->next->type == BODY_OBJECT && g->first->next->next->next == NULL);
}

Test(carrier_xml, texts_have_references_and_cdata)
{
    static const struct {
        const char *xml, *text;
    } ROWS[] = {{"<r>&amp;&lt;&gt;&quot;&apos;</r>", "&<>\"'"},
                {"<r>&#20013;&#x4e2d;&#x4E2D;</r>", "中中中"},
                {"<r>&#65;&#x1F600;</r>", "A😀"},
                {"<r><![CDATA[<a>&amp;]]>b</r>", "<a>&amp;b"},
                {"<r>a<!-- <b> -->c</r>", "ac"},
                {"<r>中文</r>", "中文"},
                {"<r/>", ""},
                {"<r></r >", ""}};
    for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
        const struct body_value *root = parse(ROWS[i].xml);
        cr_assert_not_null(root, "%s: %s", ROWS[i].xml, why);
        cr_expect_str_eq(root->text, ROWS[i].text, "%s", ROWS[i].xml);
        cr_expect_eq(root->n, strlen(ROWS[i].text));
    }
}

Test(carrier_xml, what_is_not_it_is_refused_with_a_place)
{
    static const char *const ROWS[] = {
        "",
        "x",
        "<",
        "<r",
        "<r>",
        "<r></s>",
        "<r></r",
        "<r/><r/>",
        "<r/>x",
        "<1/>",
        "<r a/>",
        "<r a=1/>",
        "<r a='1/>",
        "<r a='1'b='2'/>",
        "<r a='1' a='2'/>",
        "<r a='<'/>",
        "<r>&unknown;</r>",
        "<r>&amp</r>",
        "<r>&#0;</r>",
        "<r>&#xD800;</r>",
        "<r>&#x110000;</r>",
        "<r>&#;</r>",
        "<r>&#1;</r>",
        "<r>\x01</r>",
        "<r><![CDATA[x</r>",
        "<r><!-- </r>",
        "<?xml version='1.0'",
        "<!DOCTYPE r><r/>",
        "<!DOCTYPE r [<!ENTITY a 'aaaa'><!ENTITY b '&a;&a;'>]><r>&b;</r>",
        "<r><?php ?></r>",
        "<r><b/><a/><a/><b/><b/><a/></r>",
        "<a><a><a><a><a><a><a><a><a/></a></a></a></a></a></a></a></a>",
    };
    for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
        cr_expect_null(parse(ROWS[i]), "%s", ROWS[i]);
        cr_expect(strncmp(why, "XML, at byte ", 13) == 0, "%s: %s", ROWS[i], why);
    }
    cr_expect_not_null(parse("<a><a><a><a><a><a><a><a/></a></a></a></a></a></a></a>"), "%s", why);
    cr_expect_null(xml_parse("<r>\0</r>", 8, &rig.arena, why));
}

Test(carrier_xml, members_and_values_have_ceilings)
{
    CLEANUP(buf_done) struct buf text;
    buf_init(&text, (size_t)1 << 20);
    (void)buf_puts(&text, "<r>");
    for (int i = 0; i < 129; i++) {
        (void)buf_printf(&text, "<e%d/>", i);
    }
    (void)buf_puts(&text, "</r>");
    cr_expect_null(parse(buf_str(&text)));
    cr_expect_not_null(strstr(why, "too many members"), "%s", why);
    buf_clear(&text);
    (void)buf_puts(&text, "<r>");
    for (int i = 0; i < 16384; i++) {
        (void)buf_puts(&text, "<e/>");
    }
    (void)buf_puts(&text, "</r>");
    cr_expect_null(parse(buf_str(&text)));
    cr_expect_not_null(strstr(why, "too many values"), "%s", why);
}
