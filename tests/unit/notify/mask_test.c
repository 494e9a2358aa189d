/* SPDX-License-Identifier: Apache-2.0 */
/* What belongs to persons is hidden in carriers' words, and the rest stays. */
#include <criterion/criterion.h>
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
    };

    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        expect(table[i][0], table[i][1]);
    }
}

Test(notify_mask, any_bytes_come_out_as_text)
{
    expect("a\xff\xfe"
           "b\x01\tc",
           "a  b  c");
    expect("\xe5\xbf", "  ");
    expect("快递员\xe5", "快递员 ");
}
