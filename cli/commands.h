/* SPDX-License-Identifier: Apache-2.0 */
/* The commands, by family; each family is one file. Their rows stand in tree.c. */
#ifndef SLUICE_CLI_COMMANDS_H
#define SLUICE_CLI_COMMANDS_H

#include "command.h"

extern const struct command ROOT_COMMAND; /* tree.c */

int cmd_version(const struct cli *cli);  /* about.c */
int cmd_topology(const struct cli *cli); /* about.c; --mermaid */

int cmd_config(const struct cli *cli);       /* config.c */
int cmd_config_check(const struct cli *cli); /* config.c */
int cmd_config_docs(const struct cli *cli);  /* config.c */

int cmd_run(const struct cli *cli); /* run.c; ROLE... */
void run_help(const struct cli *cli, struct buf *out);
int cmd_health(const struct cli *cli); /* run.c; ROLE */

int cmd_migrate(const struct cli *cli); /* migrate.c; --print, --print-role, --rls-function, --role */

int cmd_topics_diff(const struct cli *cli); /* topics.c; also the bare `sluice topics` */
int cmd_topics_apply(const struct cli *cli);
int cmd_topics_acl(const struct cli *cli);

int cmd_relay_position_show(const struct cli *cli); /* relay.c; [SOURCE] */
int cmd_relay_position_set(const struct cli *cli);  /* relay.c; SOURCE, --to */

int cmd_position_show(const struct cli *cli); /* position.c; [GROUP] */
int cmd_position_set(const struct cli *cli);  /* position.c; GROUP, --to, --topic, --partition, --force */

int cmd_doctor(const struct cli *cli); /* doctor.c */
int cmd_status(const struct cli *cli); /* status.c; --watch, --stuck-after */

/* [TOPIC|all], filters */
int cmd_dlq_ls(const struct cli *cli);     /* dlq.c; --all, --limit */
int cmd_dlq_groups(const struct cli *cli); /* dlq.c; --all */
int cmd_dlq_show(const struct cli *cli);   /* dlq_show.c; PLACE|ID */
int cmd_dlq_redrive(
    const struct cli *cli); /* dlq_redrive.c; --rate, --limit, --everything, --force, --wait, --operator */

int cmd_outbox_ls(const struct cli *cli);   /* outbox.c; --status, --platform, --older, --limit */
int cmd_outbox_show(const struct cli *cli); /* outbox.c; ID */
int cmd_outbox_replay(
    const struct cli *cli); /* outbox_replay.c; --id, --stuck, --older, --platform, --limit, --operator */

int cmd_notify_preview(const struct cli *cli); /* notify_preview.c; [EVENT], --tracking-no, --status */
int cmd_notify_resend(const struct cli *cli);  /* notify_resend.c; NOTIFICATION..., --tracking-no, --all, --force */

int cmd_account_ls(const struct cli *cli);              /* account_show.c; --kind, --currency, --after, --limit */
int cmd_account_show(const struct cli *cli);            /* account_show.c; ID */
int cmd_account_flows(const struct cli *cli);           /* account_flows.c; ID, --from, --to, --limit, --csv */
int cmd_account_transfer(const struct cli *cli);        /* account_transfer.c; ID */
int cmd_account_adjust_propose(const struct cli *cli);  /* account_adjust.c; the transfer, --as */
int cmd_account_adjust_approve(const struct cli *cli);  /* account_adjust.c; ID, --as, --note, --wait */
int cmd_account_adjust_refuse(const struct cli *cli);   /* account_adjust.c; ID, --as, --note */
int cmd_account_adjust_ls(const struct cli *cli);       /* account_adjust.c; --state */
int cmd_account_check(const struct cli *cli);           /* account_check.c; --only */
int cmd_account_digest(const struct cli *cli);          /* account_rebuild.c; --balances */
int cmd_account_rebuild(const struct cli *cli);         /* account_rebuild.c; --into, --alone */
int cmd_account_explain(const struct cli *cli);         /* account_explain.c; EVENT */
int cmd_account_reviews_ls(const struct cli *cli);      /* account_reviews.c; --all, --code, --limit */
int cmd_account_reviews_resolve(const struct cli *cli); /* account_reviews.c; ID, --as, --note */
int cmd_account_reviews_retry(const struct cli *cli);   /* the same */
int cmd_account_open(const struct cli *cli);            /* account_ask.c; ID, settings, --wait */
int cmd_account_set(const struct cli *cli);             /* account_ask.c; ID, settings, --wait */

int cmd_tail(const struct cli *cli);   /* tail.c; TOPIC, --from, --until, --partition, --count, --key, --follow */
int cmd_encode(const struct cli *cli); /* codec.c; SCHEMA, JSON lines on stdin */
int cmd_decode(const struct cli *cli); /* codec.c; framed values on stdin */

int cmd_sign_init(const struct cli *cli); /* sign_init.c; DIR, --at */
/* sign_channel.c; --dir, --account, what is said, --headers, --body, --send */
int cmd_sign_wechat(const struct cli *cli);
int cmd_sign_alipay(const struct cli *cli);
int cmd_sign_appstore(const struct cli *cli);
int cmd_sign_applepay(const struct cli *cli);
int cmd_sign_express(
    const struct cli *cli); /* sign_express.c; --form, --dir, what is said, --headers, --body, --send */
int cmd_sign_webhook(const struct cli *cli);   /* webhook.c; --secret-file, --id, --body, --at */
int cmd_verify_webhook(const struct cli *cli); /* webhook.c; --secret-file, --headers, --body, --at, --tolerance */

/* verify_channel.c; --accounts, --account, --headers, --body, --at, --address */
int cmd_verify_wechat(const struct cli *cli);
int cmd_verify_alipay(const struct cli *cli);
int cmd_verify_appstore(const struct cli *cli);
int cmd_verify_applepay(const struct cli *cli);
int cmd_verify_express(const struct cli *cli); /* without --accounts and --account: our own form */

int cmd_gateway_quarantine_ls(const struct cli *cli);      /* gateway_quarantine.c; --all, --code, --limit */
int cmd_gateway_quarantine_show(const struct cli *cli);    /* the same; ID */
int cmd_gateway_quarantine_release(const struct cli *cli); /* the same; ID, --as, --note */
int cmd_gateway_quarantine_dismiss(const struct cli *cli);
int cmd_gateway_erase(const struct cli *cli);          /* gateway_raw.c; --payment, --before */
int cmd_gateway_reverify(const struct cli *cli);       /* gateway_raw.c; --since, --channel, --account, --reason */
int cmd_gateway_accounts_check(const struct cli *cli); /* gateway_accounts.c; FILE, --at */

int cmd_waybills_ls(const struct cli *cli);        /* waybills.c; --parked, --status, --tracking-no, --limit */
int cmd_waybills_show(const struct cli *cli);      /* waybills.c; NO */
int cmd_waybills_link(const struct cli *cli);      /* waybills_link.c; NO ORDER, --carrier */
int cmd_waybills_rematch(const struct cli *cli);   /* waybills_link.c; [NO...] */
int cmd_devices_ls(const struct cli *cli);         /* devices.c; --user, --merchant, --cid, --all, --limit */
int cmd_devices_show(const struct cli *cli);       /* devices.c; APPID/CID|ID */
int cmd_devices_deactivate(const struct cli *cli); /* devices.c; APPID/CID|ID, --reason */
int cmd_devices_test(const struct cli *cli);       /* devices_try.c; APPID/CID|ID, --wait */
int cmd_selftest_express(const struct cli *cli);   /* selftest.c; --tracking-no, --timeout, --url, --device-url */

int cmd_receive(const struct cli *cli); /* receive.c; --listen, --secret-file, --ids-max */
int cmd_bench_account(const struct cli *cli);
int cmd_bench_callback(const struct cli *cli);
int cmd_bench_gateway(const struct cli *cli);
int cmd_bench_notify(const struct cli *cli);
int cmd_bench_relay(const struct cli *cli); /* bench.c */

#endif
