/* SPDX-License-Identifier: Apache-2.0 */
/* Calls of carriers about the parcel YT1 or SF1, signed with "the-salt" by Python's hashlib, base64 and urllib. */
#ifndef SLUICE_TESTS_EXPRESS_VECTORS_H
#define SLUICE_TESTS_EXPRESS_VECTORS_H

#define KUAIDI100_PARAM                                                                                \
    "param=%7B%22status%22%3A%22polling%22%2C%22lastResult%22%3A%7B%22com%22%3A%22yuantong%22%2C%22nu" \
    "%22%3A%22YT1%22%2C%22state%22%3A%223%22%2C%22data%22%3A%5B%7B%22time%22%3A%222026-02-06+10%3A00%" \
    "3A00%22%2C%22context%22%3A%22%E5%B7%B2%E7%AD%BE%E6%94%B6%2C+%E5%BC%A0%E4%B8%89%22%7D%5D%7D%7D"
#define KUAIDI100_SIGN "47475EDF4836F01FB915AE764B99B1ED"
#define KUAIDI100_GBK_PARAM                                                                            \
    "param=%7B%22status%22%3A%22polling%22%2C%22lastResult%22%3A%7B%22com%22%3A%22yuantong%22%2C%22nu" \
    "%22%3A%22YT1%22%2C%22state%22%3A%223%22%2C%22data%22%3A%5B%7B%22time%22%3A%222026-02-06+10%3A00%" \
    "3A00%22%2C%22context%22%3A%22%D2%D1%C7%A9%CA%D5%2C+%D5%C5%C8%FD%22%7D%5D%7D%7D"
#define KUAIDI100_GBK_SIGN "7109E869E4F69B991923C4FFCCC24FAE"
#define KDNIAO_DATA                                                                                    \
    "RequestType=101&EBusinessID=1151847&RequestData=%7B%22EBusinessID%22%3A%221151847%22%2C%22Count%" \
    "22%3A%221%22%2C%22PushTime%22%3A%222026-02-06+10%3A00%3A00%22%2C%22Data%22%3A%5B%7B%22ShipperCod" \
    "e%22%3A%22YTO%22%2C%22LogisticCode%22%3A%22YT1%22%2C%22Success%22%3Atrue%2C%22State%22%3A%223%22" \
    "%2C%22Traces%22%3A%5B%7B%22AcceptTime%22%3A%222026-02-06+10%3A00%3A00%22%2C%22AcceptStation%22%3" \
    "A%22%E5%B7%B2%E7%AD%BE%E6%94%B6%22%7D%5D%7D%5D%7D"
#define KDNIAO_HEX "NjkyYTI0YzcwNGY5MGE4YWVlOGZjNWQ5MDk5MDE2Nzc%3D"
#define KDNIAO_RAW "aSokxwT5Coruj8XZCZAWdw%3D%3D"
#define CAINIAO_DATA                                                                                   \
    "msg_type=TRACEPUSH&partner_code=p&from_code=CNCTP&logistics_interface=%7B%22mailNo%22%3A%22YT1%2" \
    "2%2C%22cpCode%22%3A%22YTO%22%2C%22logisticsStatus%22%3A%22SIGN%22%2C%22logisticsGmtModified%22%3" \
    "A%222026-02-06+10%3A00%3A00%22%2C%22lastLogisticDetail%22%3A%22%E5%B7%B2%E7%AD%BE%E6%94%B6%22%7D"
#define CAINIAO_SIGN "5D7EaET%2FBOjzJDHTY5Uphg%3D%3D"
#define SF_XML                                                                                         \
    "content=%3C%3Fxml+version%3D%221.0%22+encoding%3D%22UTF-8%22%3F%3E%3CRequest+service%3D%22RouteP" \
    "ushService%22+lang%3D%22zh-CN%22%3E%3CBody%3E%3CWaybillRoute+id%3D%221%22+mailno%3D%22SF1%22+acc" \
    "eptTime%3D%222026-02-06+10%3A00%3A00%22+acceptAddress%3D%22%E6%B7%B1%E5%9C%B3%22+remark%3D%22%E5" \
    "%B7%B2%E7%AD%BE%E6%94%B6%22+opCode%3D%2280%22%2F%3E%3C%2FBody%3E%3C%2FRequest%3E"
#define SF_XML_GBK                                                                                     \
    "content=%3C%3Fxml+version%3D%221.0%22+encoding%3D%22GBK%22%3F%3E%3CRequest+service%3D%22RoutePus" \
    "hService%22+lang%3D%22zh-CN%22%3E%3CBody%3E%3CWaybillRoute+id%3D%221%22+mailno%3D%22SF1%22+accep" \
    "tTime%3D%222026-02-06+10%3A00%3A00%22+acceptAddress%3D%22%C9%EE%DB%DA%22+remark%3D%22%D2%D1%C7%A" \
    "9%CA%D5%22+opCode%3D%2280%22%2F%3E%3C%2FBody%3E%3C%2FRequest%3E"
#define SF_XML_OTHER                                                                                   \
    "content=%3C%3Fxml+version%3D%221.0%22+encoding%3D%22latin-1%22%3F%3E%3CRequest+service%3D%22Rout" \
    "ePushService%22+lang%3D%22zh-CN%22%3E%3CBody%3E%3CWaybillRoute+id%3D%221%22+mailno%3D%22SF1%22+a" \
    "cceptTime%3D%222026-02-06+10%3A00%3A00%22+acceptAddress%3D%22%E6%B7%B1%E5%9C%B3%22+remark%3D%22%" \
    "E5%B7%B2%E7%AD%BE%E6%94%B6%22+opCode%3D%2280%22%2F%3E%3C%2FBody%3E%3C%2FRequest%3E"

#endif
