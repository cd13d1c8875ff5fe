/**
 * The page's style sheet. Series colours are Okabe and Ito's (2008), chosen to be told apart by colour-blind readers;
 * beyond six labels lines are dashed, so that colour is never the only difference.
 */
export const pageStyle = `
:root { color-scheme: light dark; --paper: #fbfbfa; --card: #fff; --ink: #1b1f24; --soft: #5a636e; --rule: #c9ced6; --grid: #e9ebee;
  --warn: #fff4dc; --warn-rule: #d99a00; --series-0: #0072b2; --series-1: #d55e00; --series-2: #009e73; --series-3: #b8629a;
  --series-4: #c98600; --series-5: #2c9bd6; }
@media (prefers-color-scheme: dark) { :root { --paper: #14171b; --card: #1b1f25; --ink: #e8eaed; --soft: #a4adb8; --rule: #454d58;
  --grid: #2b3138; --warn: #332810; --warn-rule: #e0a93a; --series-0: #56a9e8; --series-1: #f08a4b; --series-2: #35c49a; --series-3: #dd93c4;
  --series-4: #e6b140; --series-5: #8fd0f5; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.55 system-ui, sans-serif; overflow-wrap: anywhere; }
main { max-width: 80rem; margin: 0 auto; padding: 2rem clamp(1rem, 4vw, 3rem) 4rem; }
h1 { font-size: clamp(1.6rem, 4vw, 2.3rem); line-height: 1.2; margin: 0 0 .3rem; letter-spacing: -.01em; }
h2 { font-size: 1.35rem; margin: 3rem 0 .3rem; padding-top: 1rem; border-top: 1px solid var(--rule); }
h3 { font-size: 1.02rem; margin: 0 0 .6rem; }
p { margin: .3rem 0 1rem; max-width: 70ch; } .soft { color: var(--soft); } small { font-size: .85rem; }
nav { display: flex; flex-wrap: wrap; gap: .3rem 1.1rem; margin: 1rem 0; } a { color: var(--series-0); }
.legend { list-style: none; display: flex; flex-wrap: wrap; gap: .35rem 1.3rem; padding: 0; margin: .6rem 0 1rem; }
.legend li { display: flex; align-items: center; gap: .5rem; min-width: 0; } .legend svg { flex: none; }
.charts { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 23rem), 1fr)); gap: 1.1rem; align-items: start; }
figure { margin: 0; padding: 1rem 1rem .7rem; background: var(--card); border: 1px solid var(--grid); border-radius: .7rem; min-width: 0; }
figure svg { display: block; width: 100%; height: auto; max-width: 36rem; margin: 0 auto; font-family: inherit; }
details { margin: .5rem 0; } summary { cursor: pointer; color: var(--soft); font-size: .9rem; }
.table { overflow-x: auto; max-width: 100%; } table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; }
th, td { text-align: right; padding: .35rem .8rem; border-bottom: 1px solid var(--grid); white-space: nowrap; overflow-wrap: normal; }
th { font-weight: 600; color: var(--soft); } th:first-child, td:first-child, #scores :is(th, td):nth-child(2), #runs :is(th, td):nth-child(2) { text-align: left; }
th:first-child, td:first-child { padding-left: 0; } caption { text-align: left; color: var(--soft); padding-bottom: .4rem; }
.warn { background: var(--warn); border-left: 4px solid var(--warn-rule); border-radius: .4rem; padding: .8rem 1.1rem; margin: 1.2rem 0; }
.warn h2 { border: 0; margin: 0; padding: 0; font-size: 1.05rem; } .warn ul { margin: .4rem 0; padding-left: 1.2rem; }
@media print { :root { --paper: #fff; --card: #fff; --ink: #000; --soft: #444; } body { font-size: 11pt; } main { padding: 0; max-width: none; }
  nav, .charts summary { display: none; } figure, .warn, tr { break-inside: avoid; } h2 { break-after: avoid; }
  .charts { grid-template-columns: 1fr 1fr; } .table { overflow: visible; } }
`;
