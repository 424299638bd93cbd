/** Sample state and settings of the way from the internet. */
import type * as T from '../types';
import { minutesAgo } from './rows';
import type { Variant } from './shop';

const URL = 'https://shop.khoahocan.vn';

export function mockGlance(variant: Variant): T.Receiving['tunnel'] {
  if (variant === 'empty') return { kind: 'none', state: 'off', reason: null, since: minutesAgo(12) };
  const broken = variant === 'broken';
  return {
    kind: 'cloudflared',
    state: broken ? 'down' : 'up',
    reason: broken ? 'tunnel_wrong_token' : null,
    since: minutesAgo(broken ? 6 : 412),
  };
}

export function mockTunnel(variant: Variant): T.Tunnel {
  const glance = mockGlance(variant);
  const off = variant === 'empty';
  const moment = (minutes: number, state: string): T.Tunnel['history'][number] => ({
    at: minutesAgo(minutes),
    state,
    reason: null,
  });
  return {
    ...glance,
    detail: glance.reason ? 'Register tunnel error: Unauthorized: Invalid tunnel secret' : null,
    public_url: off ? null : URL,
    webhook_url: `${off ? 'http://127.0.0.1:8686' : URL}/api/v1/payment/webhook`,
    temporary: false,
    reached_at: off ? null : minutesAgo(variant === 'broken' ? 6 : 0.2),
    certificate_until: off ? null : minutesAgo(-60 * 24 * 71),
    restarts: off ? 0 : 3,
    round_trip_at: variant === 'full' ? minutesAgo(3) : null,
    output: off
      ? []
      : [
          { at: minutesAgo(412), text: 'INF Starting tunnel tunnelID=4f1c' },
          { at: minutesAgo(412), text: 'INF Registered tunnel connection connIndex=0 location=sin08' },
          ...(variant === 'broken'
            ? [{ at: minutesAgo(6), text: 'ERR Register tunnel error: Unauthorized: Invalid tunnel secret' }]
            : []),
        ],
    history: off
      ? []
      : [
          moment(1200, 'starting'),
          moment(1198, 'up'),
          moment(430, 'down'),
          moment(412, 'up'),
          ...(variant === 'broken' ? [moment(6, 'down')] : []),
        ],
    woke: null,
  };
}

export function mockTunnelSettings(variant: Variant): T.TunnelSettings {
  return {
    kind: variant === 'empty' ? 'none' : 'cloudflared',
    url: variant === 'empty' ? null : URL,
    base_url: null,
    program: '',
    args: [],
    url_hint: null,
    ssh_host: '',
    ssh_port: 22,
    ssh_user: '',
    ssh_key_file: null,
    ssh_agent_socket: null,
    ssh_remote: '8686',
    check_every_s: 20,
  };
}
