/** Settings of a store process, without anything that a store process needs to run. */
export type { ConfigSources, LoadedConfig } from './load.ts';
export { loadConfig } from './load.ts';
export type { LogLevelName, Setting, StoreConfig } from './settings.ts';
export { environmentName, kebab, settingNames, settings } from './settings.ts';
