// SPDX-License-Identifier: Apache-2.0
//
// The cloud function that sluice's push role calls: checks who asks, hands each message to uniPush 2.0 and answers for
// each by its request_id. README.md says how to set it up.
'use strict';

const crypto = require('crypto');
const config = require('./config.json'); // {"secret": "...", "apps": {"default": "__UNI__..."}}

const WINDOW_SECONDS = 300;
const MESSAGES_MAX = 100;
const SENT = 'sluice-push-sent'; // collection: what became of each request_id

const answer = (statusCode, body) => ({
    mpserverlessComposedResponse: true,
    statusCode,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
});
const refuse = (statusCode, errMsg) => answer(statusCode, { errCode: statusCode, errMsg });

function signed(headers, body) {
    const time = headers['x-sluice-timestamp'] || '';
    const given = Buffer.from(headers['x-sluice-signature'] || '');
    const off = Math.abs(Date.now() / 1000 - Number(time));
    if (!config.secret || !/^[0-9]{1,15}$/.test(time) || off > WINDOW_SECONDS) return false;
    const hmac = crypto.createHmac('sha256', config.secret).update(time + '.').update(body);
    const want = Buffer.from(hmac.digest('hex'));
    return given.length === want.length && crypto.timingSafeEqual(given, want);
}

const text = (value) => typeof value === 'string' && value.trim() !== '';
const complete = (m) => m && text(m.request_id) && text(m.push_clientid) && text(m.title) && text(m.content)
    && m.payload && typeof m.payload === 'object';

// An answer of uniPush is {errCode, errMsg, data: {taskid: {cid: status}}}.
const status = (result, cid) => Object.values(result.data || {}).map((task) => task && task[cid]).find(Boolean) || 'success';

async function send(m, collection) {
    const before = await collection.doc(m.request_id).get().catch(() => ({ data: [] }));
    if (before.data.length > 0) return { errCode: 0, status: before.data[0].status };
    const appId = (config.apps || {})[m.appid] || m.appid;
    const result = await uniCloud.getPushManager({ appId }).sendMessage({
        request_id: m.request_id, // uniPush drops one that it has seen: nobody is told twice, whatever dies in between
        push_clientid: m.push_clientid,
        title: m.title,
        content: m.content,
        payload: m.payload,
        force_notification: true,
        ...(m.settings ? { settings: m.settings } : {}),
    });
    if (result.errCode) return { errCode: result.errCode, errMsg: String(result.errMsg || '') };
    const sent = { errCode: 0, status: status(result, m.push_clientid) };
    await collection.doc(m.request_id).set({ status: sent.status, sent_at: Date.now() }).catch(() => {});
    return sent;
}

exports.main = async (event) => {
    const raw = event.body || '';
    const body = event.isBase64Encoded ? Buffer.from(raw, 'base64') : Buffer.from(raw, 'utf8');
    const headers = Object.fromEntries(Object.entries(event.headers || {}).map(([k, v]) => [k.toLowerCase(), String(v)]));
    if (!signed(headers, body)) return refuse(401, 'signature missing, wrong or too old');
    let messages;
    try {
        messages = JSON.parse(body.toString('utf8')).messages;
    } catch (e) {
        return refuse(400, 'the body is no JSON');
    }
    if (!Array.isArray(messages) || messages.length > MESSAGES_MAX || !messages.every(complete)) {
        return refuse(400, 'expected messages, each with request_id, push_clientid, title, content and payload');
    }
    const collection = uniCloud.database().collection(SENT);
    const data = {};
    await Promise.all(messages.map(async (m) => {
        data[m.request_id] = await send(m, collection).catch((e) => ({ errCode: e.errCode || 500, errMsg: String(e.errMsg || e.message) }));
    }));
    return answer(200, { errCode: 0, errMsg: '', data });
};
