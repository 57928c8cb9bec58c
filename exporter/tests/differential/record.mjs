// Records what a browser's player reads from the playlists beside this file, as hls.js.json.
//
//   npm install --prefix SCRATCH hls.js@1.7.4      (SCRATCH: any directory outside of the repository)
//   node record.mjs SCRATCH
//
// The player's own parser reads; here its results are only given names. Dates without an offset are in the time zone UTC.
process.env.TZ = "UTC";
globalThis.self = globalThis;

import fs from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";

const scratch = path.resolve(process.argv[2], "node_modules/hls.js");
const { M3U8Parser } = await import(pathToFileURL(path.join(scratch, "dist/hls.mjs")));
const version = JSON.parse(fs.readFileSync(path.join(scratch, "package.json"))).version;
const here = import.meta.dirname;
const base = "https://example.com/live/list.m3u8?tok=a%2Fb&empty=";
const imported = { dir: "hd" };

const known = (number) => (Number.isFinite(number) ? number : null);
const milliseconds = (seconds) => (Number.isFinite(seconds) ? Math.round(seconds * 1000) : null);
const resolved = (address) => {
  try {
    return new URL(address).href;
  } catch {
    return address;
  }
};

function media(text) {
  const level = M3U8Parser.parseLevelPlaylist(text, base, 0, "main", 0, imported);
  const listed = level.fragments.filter((fragment) => fragment !== null);
  const there = listed.filter((fragment) => !fragment.gap);
  const newest = there.at(-1);
  const open = (level.partList ?? []).filter((part) => part.fragment === level.fragmentHint);
  const openThere = open.filter((part) => !part.gap);
  const begins = (fragment) => (fragment?.programDateTime == null ? NaN : fragment.programDateTime / 1000);
  const last = openThere.at(-1);
  const ends = last ? begins(level.fragmentHint) + last.fragOffset + last.duration : begins(newest) + newest?.duration;
  if (level.playlistParsingError && level.fragments.length === 0 && !level.targetduration) return { kind: "refused" };
  return {
    kind: "media",
    count: level.fragments.length,
    target_duration: level.targetduration || null,
    media_sequence: level.startSN,
    ended: !level.live,
    sequences: listed.map((fragment) => fragment.sn),
    uris: listed.map((fragment) => resolved(fragment.url)),
    milliseconds: listed.map((fragment) => milliseconds(fragment.duration)),
    discontinuous: listed.map((fragment, index) => fragment.cc !== (listed[index - 1]?.cc ?? level.startCC)),
    ranges: listed.map((fragment) => (fragment.byteRange.length ? fragment.byteRange : null)),
    gaps: listed.map((fragment) => Boolean(fragment.gap)),
    newest_discontinuity: newest?.cc ?? null,
    parts: openThere.length,
    newest_ends: milliseconds(ends),
  };
}

function master(text) {
  const parsed = M3U8Parser.parseMasterPlaylist(text, base);
  const tracks = M3U8Parser.parseMasterPlaylistMedia(text, base, parsed);
  const variant = (kind) => (level) => ({
    kind: kind ?? (level.audioCodec && !level.videoCodec && !level.width ? "audio" : "video"),
    uri: resolved(level.url),
    bandwidth: known(level.attrs.decimalInteger("BANDWIDTH")),
    resolution: level.width ? [level.width, level.height] : null,
    codecs: level.attrs.CODECS ?? null,
    name: level.attrs.NAME ?? null,
    pathway: level.attrs["PATHWAY-ID"] ?? null,
  });
  const rendition = (kind) => (track) => ({
    kind,
    uri: resolved(track.url),
    bandwidth: null,
    resolution: null,
    codecs: null,
    name: track.name || null,
    pathway: null,
  });
  const renditions = (kind, tracks) => (tracks ?? []).filter((track) => track.url).map(rendition(kind));
  return {
    kind: "master",
    variants: parsed.levels.map(variant()),
    i_frames: parsed.iframeVariants.map(variant("i_frames")),
    audio: renditions("audio", tracks.AUDIO),
    subtitles: renditions("subtitles", tracks.SUBTITLES),
    pathway: parsed.contentSteering?.pathwayId ?? null,
  };
}

// As the player's loader decides.
function read(bytes) {
  const text = new TextDecoder().decode(bytes);
  if (!text.startsWith("#EXTM3U")) return { kind: "refused" };
  if (M3U8Parser.isMediaPlaylist(text)) return media(text);
  const found = master(text);
  return found.variants.length ? found : { kind: "refused" };
}

const directories = ["playlists", "../fixtures"];
const files = directories.flatMap((directory) => fs.readdirSync(path.join(here, directory)).map((file) => `${directory}/${file}`));
const playlists = {};
for (const file of files.filter((file) => file.endsWith(".m3u8")).sort()) {
  playlists[file] = read(fs.readFileSync(path.join(here, file)));
}
fs.writeFileSync(path.join(here, "hls.js.json"), JSON.stringify({ player: `hls.js ${version}`, base, imported, playlists }, null, 1) + "\n");
