/** Words of pages that are fetched when they are first opened: such a page imports this first. */
import enCourses from './en.courses.json';
import enKeys from './en.keys.json';
import enMails from './en.mails.json';
import enOps from './en.ops.json';
import enStorefront from './en.storefront.json';
import enTunnel from './en.tunnel.json';
import { addWords } from './messages';
import viCourses from './vi.courses.json';
import viKeys from './vi.keys.json';
import viMails from './vi.mails.json';
import viOps from './vi.ops.json';
import viStorefront from './vi.storefront.json';
import viTunnel from './vi.tunnel.json';

const inVi = { ...viCourses, ...viKeys, ...viMails, ...viOps, ...viStorefront, ...viTunnel };
const inEn = { ...enCourses, ...enKeys, ...enMails, ...enOps, ...enStorefront, ...enTunnel };

// Each way round, so that a key missing on either side does not compile.
const en: Record<keyof typeof inVi, string> = inEn;
const vi: Record<keyof typeof inEn, string> = inVi;

addWords({ vi, en });
