// SPDX-License-Identifier: Apache-2.0
//
// What the vendors' protocols look like from their side, for push_provider.mjs. For each of them:
//     path(state, path)          is it a push of this vendor?
//     token_path, give_token     the request for a token, where there is one
//     verify(state, request)     null, or {reason, answer}: signature, token, form
//     messages(request)          [{id, cid, text, offline}]
//     refuses_whole(state, verdicts)  is the whole request refused for some of its messages?
//     answer(state, messages, verdicts)

import { createHash, createHmac, createPublicKey, randomBytes, timingSafeEqual, verify as verify_signature } from 'node:crypto';

const MINUTES_10 = 600_000;
const FCM_ERROR = 'type.googleapis.com/google.firebase.fcm.v1.FcmError';
const BAD_REQUEST = 'type.googleapis.com/google.rpc.BadRequest';
const refuse = (reason, answer) => ({ reason, answer });
const json = (text) => { try { return JSON.parse(text); } catch { return null; } };
const whole = (value) => (Array.isArray(value) ? value : []);

function give(state, ends_ms) {
    const token = randomBytes(24).toString('hex');
    state.given.set(token, ends_ms);
    state.stats.tokens++;
    return token;
}

const takes = (state, token) => (state.given.get(token) ?? 0) > Date.now();

// {header, claims}, or null: the signature does not hold.
function jwt_read(text, public_key, algorithm) {
    const parts = (text ?? '').split('.');
    const header = json(Buffer.from(parts[0] ?? '', 'base64url').toString());
    const claims = json(Buffer.from(parts[1] ?? '', 'base64url').toString());
    if (parts.length !== 3 || header?.alg !== algorithm || claims === null) return null;
    const key = { key: createPublicKey(public_key), dsaEncoding: 'ieee-p1363' };
    const good = verify_signature('sha256', Buffer.from(`${parts[0]}.${parts[1]}`), key, Buffer.from(parts[2], 'base64url'));
    return good ? { header, claims } : null;
}

// ----------------------------------------------------------------------------------------------------------- Getui

const getui_error = (status, code, msg) => ({ status, body: { code, msg } });
const GETUI_STATUS = { online: 'successed_online', offline: 'successed_offline', ignored: 'successed_ignore', invalid: 'no_user',
    suspect: 'AppidError' };
const GETUI_ERROR = {
    invalid: getui_error(400, 20001, 'target user is invalid'),
    payload: getui_error(400, 20001, 'ttl is invalid'),
    throttled: getui_error(401, 10005, 'over the limit of a minute'),
    auth: getui_error(401, 10002, 'app is blocked'),
    expired: getui_error(401, 10001, 'token is invalid'),
    down: getui_error(200, 5000, 'internal error'),
};

// Errors of its kind are of the whole request. Of a batch with an invalid cid nobody knows: both can be had.
const getui_refused = (state, verdicts) => verdicts.find((v) => GETUI_ERROR[v] !== undefined &&
    !(v === 'invalid' && verdicts.length > 1 && !state.batch_refuses));

function getui_form(m) {
    const cids = m.audience?.cid;
    const n = m.push_message?.notification;
    if (typeof m.request_id !== 'string' || m.request_id.length < 10 || m.request_id.length > 32) return 'request_id';
    if (!Array.isArray(cids) || cids.length > 1) return 'audience';
    if (!Number.isInteger(m.settings?.ttl) || m.settings.ttl < 1 || m.settings.ttl > 259_200_000) return 'ttl';
    if (![1, 2, 3, 4].includes(m.settings?.strategy?.default) || ![2, 4].includes(m.settings.strategy.ios)) return 'strategy';
    if ([...(n?.title ?? '')].length > 50 || [...(n?.body ?? '')].length > 256) return 'text';
    return m.push_channel?.android?.ups?.notification?.title && m.push_channel?.ios?.aps?.alert?.title ? null : 'push_channel';
}

const getui = {
    drops_repeats: true,
    path: (state, path) => [`/v2/${state.config.app_id}/push/single/cid`, `/v2/${state.config.app_id}/push/single/batch/cid`].includes(path),
    token_path: (state, path) => path === `/v2/${state.config.app_id}/auth`,
    give_token(state, request) {
        const asked = json(request.text) ?? {};
        const sign = createHash('sha256').update(`${state.config.app_key}${asked.timestamp}${state.config.master_secret}`).digest('hex');
        if (asked.appkey !== state.config.app_key || asked.sign !== sign) return getui_error(400, 20001, 'sign is invalid');
        if (Math.abs(Date.now() - Number(asked.timestamp)) > MINUTES_10) return getui_error(400, 20001, 'timestamp is invalid');
        const ends_ms = Date.now() + state.token_ttl_s * 1000;
        return { status: 200, body: { code: 0, msg: 'success', data: { expire_time: String(ends_ms), token: give(state, ends_ms) } } };
    },
    verify(state, request) {
        const asked = json(request.text);
        const list = request.path.endsWith('/batch/cid') ? whole(asked?.msg_list) : [asked];
        if (!takes(state, request.headers.token)) return refuse('token', GETUI_ERROR.expired);
        const wrong = list.map((m) => getui_form(m ?? {})).find((w) => w !== null);
        if (list.length > 200 || wrong !== undefined) return refuse(`form-${wrong}`, getui_error(400, 20001, `${wrong} is invalid`));
        return null;
    },
    messages(request) {
        const asked = JSON.parse(request.text);
        return whole(asked.msg_list ?? [asked]).map((m) => ({ id: m.request_id, cid: m.audience.cid[0],
            text: m.push_message.notification?.title && m.push_message.notification.body }));
    },
    refuses_whole: (state, verdicts) => getui_refused(state, verdicts) !== undefined,
    answer(state, messages, verdicts) {
        const refused = getui_refused(state, verdicts);
        if (refused !== undefined) return GETUI_ERROR[refused];
        const data = {};
        messages.forEach((m, i) => {
            data[`RASS_${randomBytes(8).toString('hex')}`] = { [m.cid]: GETUI_STATUS[verdicts[i]] ?? 'no word of theirs' };
        });
        return { status: 200, body: { code: 0, msg: 'success', data } };
    },
};

// ------------------------------------------------------------------------------------------------------------- FCM

const fcm_error = (status, word, details) => ({ status, body: { error: { code: status, message: `as scripted: ${word}`, status: word, details } } });
const fcm_code = (code) => [{ '@type': FCM_ERROR, errorCode: code }];
const FCM_ANSWER = {
    invalid: fcm_error(404, 'NOT_FOUND', fcm_code('UNREGISTERED')),
    suspect: fcm_error(400, 'INVALID_ARGUMENT', fcm_code('INVALID_ARGUMENT')),
    payload: fcm_error(400, 'INVALID_ARGUMENT', [{ '@type': BAD_REQUEST, fieldViolations: [{ field: 'message.data', description: 'x' }] }]),
    auth: fcm_error(403, 'PERMISSION_DENIED', fcm_code('SENDER_ID_MISMATCH')),
    expired: fcm_error(401, 'UNAUTHENTICATED', []),
    down: fcm_error(500, 'INTERNAL', fcm_code('INTERNAL')),
};

const fcm = {
    drops_repeats: false,
    path: (state, path) => path === `/v1/projects/${state.config.project_id}/messages:send`,
    token_path: (_state, path) => path === '/fcm/token',
    give_token(state, request) {
        const form = new URLSearchParams(request.text);
        const jwt = jwt_read(form.get('assertion'), state.config.public_key, 'RS256');
        const now_s = Date.now() / 1000;
        const good = jwt !== null && form.get('grant_type') === 'urn:ietf:params:oauth:grant-type:jwt-bearer' &&
            jwt.claims.iss === state.config.client_email && jwt.claims.aud === `${request.origins.http}/fcm/token` &&
            jwt.claims.scope === 'https://www.googleapis.com/auth/firebase.messaging' &&
            jwt.claims.exp > now_s && jwt.claims.exp - jwt.claims.iat <= 3600;
        if (!good) return { status: 400, body: { error: 'invalid_grant', error_description: 'Invalid JWT Signature.' } };
        const access_token = give(state, Date.now() + state.token_ttl_s * 1000);
        return { status: 200, body: { access_token, expires_in: state.token_ttl_s, token_type: 'Bearer' } };
    },
    verify(state, request) {
        const m = json(request.text)?.message;
        const bearer = /^Bearer (\S+)$/.exec(request.headers.authorization ?? '')?.[1];
        if (!takes(state, bearer)) return refuse('token', FCM_ANSWER.expired);
        const good = typeof m?.data?.payload === 'string' && /^[0-9]+s$/.test(m.android?.ttl ?? '') && typeof m.data.request_id === 'string';
        return good ? null : refuse('form', FCM_ANSWER.payload);
    },
    messages(request) {
        const m = JSON.parse(request.text).message;
        return [{ id: m.data.request_id, cid: m.token, text: m.notification?.title && m.notification.body }];
    },
    refuses_whole: () => false,
    answer(state, _messages, [verdict]) {
        if (verdict === 'throttled') {
            return { ...fcm_error(429, 'RESOURCE_EXHAUSTED', fcm_code('QUOTA_EXCEEDED')), headers: { 'retry-after': String(state.retry_after_s) } };
        }
        return FCM_ANSWER[verdict] ?? { status: 200, body: { name: `projects/${state.config.project_id}/messages/${randomBytes(8).toString('hex')}` } };
    },
};

// ------------------------------------------------------------------------------------------------------------ APNs

const apns_error = (status, reason) => ({ status, body: { reason } });
const APNS_ANSWER = {
    suspect: apns_error(400, 'BadDeviceToken'),
    payload: apns_error(413, 'PayloadTooLarge'),
    auth: apns_error(403, 'InvalidProviderToken'),
    expired: apns_error(403, 'ExpiredProviderToken'),
    down: apns_error(503, 'ServiceUnavailable'),
};

function apns_token(state, header) {
    const text = /^bearer (\S+)$/i.exec(header ?? '')?.[1];
    const jwt = jwt_read(text, state.config.public_key, 'ES256');
    if (jwt === null || jwt.header.kid !== state.config.key_id || jwt.claims.iss !== state.config.team_id) return 'auth';
    if (!state.seen.has(text)) {
        state.seen.add(text);
        state.stats.tokens++;
    }
    const made_ms = jwt.claims.iat * 1000;
    return made_ms + 999 < state.not_before_ms || Date.now() - made_ms > 3_600_000 || made_ms > Date.now() + 1000 ? 'expired' : null;
}

const apns = {
    drops_repeats: false,
    path: (_state, path) => path.startsWith('/3/device/'),
    verify(state, request) {
        const h = request.headers;
        const wrong = apns_token(state, h.authorization);
        if (wrong !== null) return refuse('token', APNS_ANSWER[wrong]);
        const body = json(request.text);
        if (h['apns-topic'] !== state.config.topic) return refuse('form-topic', apns_error(400, 'BadTopic'));
        if (h['apns-push-type'] !== 'alert' || h['apns-priority'] !== '10') return refuse('form-type', apns_error(400, 'InvalidPushType'));
        if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(h['apns-id'] ?? '')) return refuse('form-id', apns_error(400, 'BadMessageId'));
        if (!(Number(h['apns-expiration']) * 1000 > Date.now() - 1000)) return refuse('form-expiration', apns_error(400, 'BadExpirationDate'));
        if (request.body.length > 4096) return refuse('form-size', APNS_ANSWER.payload);
        return body?.aps?.alert === undefined ? refuse('form-body', apns_error(400, 'PayloadEmpty')) : null;
    },
    messages(request) {
        const alert = JSON.parse(request.text).aps.alert;
        return [{ id: request.headers['apns-id'].replaceAll('-', ''), cid: request.path.slice('/3/device/'.length), text: alert.title && alert.body }];
    },
    refuses_whole: () => false,
    answer(state, _messages, [verdict]) {
        if (verdict === 'throttled') return { ...apns_error(429, 'TooManyRequests'), headers: { 'retry-after': String(state.retry_after_s) } };
        if (verdict === 'invalid') return { status: 410, body: { reason: 'Unregistered', timestamp: Date.now() - 1000 } };
        return APNS_ANSWER[verdict] ?? { status: 200, body: '' };
    },
};

// --------------------------------------------------------------------------------------------------------- uniCloud

const CLOUD_ENTRY = {
    online: { errCode: 0, status: 'successed_online' },
    offline: { errCode: 0, status: 'successed_offline' },
    ignored: { errCode: 0, status: 'successed_ignore' },
    invalid: { errCode: 20001, errMsg: 'target user is invalid' },
    suspect: { errCode: 0, status: 'no word of theirs' },
    payload: { errCode: 400, errMsg: 'content is invalid' },
    down: { errCode: 500, errMsg: 'internal error' },
};

const cloud = {
    drops_repeats: true,
    path: (_state, path) => path === '/sluice-push',
    verify(state, request) {
        const time = request.headers['x-sluice-timestamp'] ?? '';
        const mac = createHmac('sha256', state.config.secret ?? '').update(`${time}.`).update(request.body).digest();
        const given = Buffer.from(request.headers['x-sluice-signature'] ?? '', 'hex');
        const good = given.length === mac.length && timingSafeEqual(given, mac) && Math.abs(Date.now() - Number(time) * 1000) < MINUTES_10;
        return good ? null : refuse('signature', { status: 401, body: { errCode: 401, errMsg: 'signature' } });
    },
    messages(request) {
        const asked = JSON.parse(request.text);
        return whole(asked.messages ?? [asked]).map((m) => ({ id: m.request_id, cid: m.push_clientid, text: m.title && m.content }));
    },
    refuses_whole: (_state, verdicts) => verdicts.some((v) => ['throttled', 'auth', 'expired'].includes(v)),
    answer(state, messages, verdicts) {
        if (verdicts.includes('throttled')) return { status: 429, body: { errCode: 429, errMsg: 'later' }, headers: { 'retry-after': String(state.retry_after_s) } };
        if (verdicts.includes('auth') || verdicts.includes('expired')) return { status: 401, body: { errCode: 401, errMsg: 'signature' } };
        return { status: 200, body: { errCode: 0, errMsg: '', data: Object.fromEntries(messages.map((m, i) => [m.id, CLOUD_ENTRY[verdicts[i]]])) } };
    },
};

export const VENDORS = { getui, fcm, apns, cloud };
