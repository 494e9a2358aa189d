/* SPDX-License-Identifier: Apache-2.0 */
/* What belongs to persons is hidden in carriers' words, and the rest stays. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "notify/mask.h"

#define NO "TEST_YT_20260206_0007"

static void expect(const char *text, const char *want)
{
    CLEANUP(buf_done) struct buf out;

    buf_init(&out, 65536);
    notify_mask(text, strlen(text), NO, &out);
    cr_expect_str_eq(buf_str(&out), want, "%s: %s; expected %s", text, buf_str(&out), want);
}

Test(notify_mask, telephone_numbers)
{
    static const char *const table[][2] = {
        {"电话13812345678请接听", "电话138****5678请接听"},
        {"138 1234 5678", "138****5678"},
        {"138-1234-5678。", "138****5678。"},
        {"+86 13812345678", "+861****5678"},
        {"+86-138-1234-5678", "+861****5678"},
        {"0086 13812345678", "008****5678"},
        {"8613812345678", "861****5678"},
        {"021-12345678", "021****5678"},
        {"(0755) 1234-5678", "(075****5678"},
        {"0571-8765432", "057****5432"},
        {"400-820-8820", "400****"},
        {"4008208820", "400****"},
        {"电话：87654321", "电话：876****"},
        {"１３８１２３４５６７８", "138****5678"},
        {"13812345678,13987654321", "138****5678,139****4321"},
        {"13812345678 13987654321", "138****4321"}, /* read as one: hidden all the same */
        {"tel:+442071838750", "tel:+442****8750"},
        {"138－1234－5678", "138****5678"},
        {"138–1234—5678", "138****5678"},
        {"138 - 1234 - 5678", "138****5678"},
        {"138.1234.5678", "138****5678"},
        {"138　1234　5678", "138****5678"},
        {"138\xc2\xa0"
         "1234\xc2\xa0"
         "5678",
         "138****5678"},
        {"138\xe2\x80\x8b"
         "1234\xe2\x80\x8d"
         "5678",
         "138****5678"},
        {"138\t1234\n5678", "138****5678"},
        {"138\xff"
         "1234\x01"
         "5678",
         "138****5678"},
        {"（０２１）５５５５－１２３４", "（021****1234"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        expect(table[i][0], table[i][1]);
    }
}

Test(notify_mask, numbers_that_are_none_stay)
{
    static const char *const table[] = {
        "2026-03-10 12:30:00 到达",
        "20260310 到达",
        "取件码 5-2-1234",
        "第3次派送，共 12 件",
        "运单 " NO " 已发出",
        "上海市浦东新区100号",
        "",
        "已签收",
        "12:30-18:00",
        "2026.03.10 12:30 到达",
        "２０２６－０３－１０ 到达",
        "重 12.5 公斤",
        "1. 到达 2. 派送",
    };

    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        expect(table[i], table[i]);
    }
}

Test(notify_mask, names)
{
    static const char *const table[][2] = {
        {"快递员张三正在派送", "快递员**正在派送"},
        {"派件员：王小明，电话：13812345678", "派件员：**，电话：138****5678"},
        {"快递员【李四,13812345678】正在派件", "快递员【**,138****5678】正在派件"},
        {"快递员正在派送", "快递员正在派送"},
        {"收件人已签收", "收件人已签收"},
        {"已签收，签收人: 张先生", "已签收，签收人: **"},
        {"收件人 欧阳锋 拒收", "收件人 ** 拒收"},
        {"业务员王五电话13812345678", "业务员**电话138****5678"},
        {"联系人姓名：赵六", "联系人姓名：**"},
        {"Courier John Smith is on the way", "Courier ** is on the way"},
        {"courier: J. R. Ewing, tel 13812345678", "courier: **, tel 138****5678"},
        {"Signed by MARY O'NEIL.", "Signed by **."},
        {"The courier is on the way", "The courier is on the way"},
        {"Screwdriver Set delivered", "Screwdriver Set delivered"},
        {"driver José Álvarez", "driver **"},
        {"【派件员】张三,已派件", "【派件员】**,已派件"},
        {"（收件人）张三", "（收件人）**"},
        {"联系人；张三", "联系人；**"},
        {"快递员\n张三", "快递员 **"},
        {"快递员\xe2\x80\x8b张三", "快递员\xe2\x80\x8b**"},
        {"快递员欧阳娜娜正在派送", "快递员**正在派送"},
        {"签收人：诸葛孔明", "签收人：**"},
        {"快递员买买提·阿不都拉电话", "快递员**电话"},
        {"签收人：弗拉基米尔・伊里奇・列宁", "签收人：**"},
        {"签收人：𠮷田", "签收人：**"},
        {"courier 김철수", "courier **"},
        {"Signed by: Nguyễn Văn An", "Signed by: **"},
        {"Signed by: Maria da Silva.", "Signed by: **."},
        {"Signed by Ludwig van der Rohe at the door", "Signed by ** at the door"},
        {"signed by O’Neil", "signed by **"},
        {"signed by Ana de la da Costa", "signed by **"},
        {"courier Иванов", "courier **"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        expect(table[i][0], table[i][1]);
    }
}

/* Whose number is short, or the beginning of somebody's telephone number, must not uncover that. */
Test(notify_mask, the_parcels_own_number_uncovers_no_other)
{
    static const char *const table[][3] = {
        {"1", "电话13812345678", "电话138****5678"},
        {"1381234", "电话13812345678", "电话138****5678"},
        {"13812345678", "运单13812345678到达", "运单13812345678到达"},
        {"JD0012345678", "jd0012345678-1-1-", "jd0012345678-1-1-"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        CLEANUP(buf_done) struct buf out;
        buf_init(&out, 65536);
        notify_mask(table[i][1], strlen(table[i][1]), table[i][0], &out);
        cr_expect_str_eq(buf_str(&out), table[i][2], "%s: %s", table[i][0], buf_str(&out));
    }
}

Test(notify_mask, any_bytes_come_out_as_text)
{
    expect("a\xff\xfe"
           "b\x01\tc",
           "a  b  c");
    expect("\xe5\xbf", "  ");
    expect("快递员\xe5", "快递员 ");
    expect("courier\tJohn", "courier **");
    expect("courier \xc3", "courier  ");
    expect("\xe2\x80", "  ");
    expect("12\t34", "12 34");
}

/* The longest row of ASCII digits that begins like a mobile's. */
static bool has_mobile(const char *text)
{
    for (size_t n = 0; *text != '\0'; text += n > 0 ? n : 1) {
        n = strspn(text, "0123456789");
        if (n == 11 && text[0] == '1' && text[1] >= '3') {
            return true;
        }
    }
    return false;
}

/* Pieces put together at random: what comes out is UTF-8 in any case, and no mobile's number stands in it. */
Test(notify_mask, whatever_stands_together)
{
    static const char *const pieces[] = {"138",      "1234",         "5678", "13812345678", "2026-03-10", "20260310",
                                         "－",       "\xe2\x80\x8b", " ",    ".",           "\xef",       "\xbc",
                                         "\xe2\x80", "快递员",       "：",   "张三",        "·",          "de ",
                                         "John",     "courier",      "\n",   "１",          "𠮷",         "\xf0\xa0"};
    uint32_t seed = 7;

    for (int round = 0; round < 20000; round++) {
        char text[256] = "";
        CLEANUP(buf_done) struct buf out;
        buf_init(&out, 65536);
        for (int k = 0; k < 12; k++) {
            seed = seed * 1664525U + 1013904223U;
            size_t n = strlen(text);
            (void)snprintf(text + n, sizeof text - n, "%s", pieces[(seed >> 16) % ARRAY_SIZE(pieces)]);
        }
        char *exact = xstrndup(text, strlen(text)); /* of its own length, so that a byte read behind it is seen */
        notify_mask(exact, strlen(exact), "YT1234567", &out);
        free(exact);
        for (size_t i = 0; i < out.len;) {
            size_t n = utf8_sequence(out.data + i, out.len - i);
            cr_assert_gt(n, 0, "%s", text);
            i += n;
        }
        cr_assert_not(has_mobile(buf_str(&out)), "%s: %s", text, buf_str(&out));
    }
}
