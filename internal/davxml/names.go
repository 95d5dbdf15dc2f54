package davxml

// The names that the standards define, by the prefix that they have on the wire. They are variables because Go has no
// constants of this type; nobody may assign to them.
var (
	// RFC 4918, section 14: the bodies.
	DActiveLock          = Name{NSDAV, "activelock"}
	DAllProp             = Name{NSDAV, "allprop"}
	DCollection          = Name{NSDAV, "collection"}
	DDepth               = Name{NSDAV, "depth"}
	DError               = Name{NSDAV, "error"}
	DExclusive           = Name{NSDAV, "exclusive"}
	DHref                = Name{NSDAV, "href"}
	DInclude             = Name{NSDAV, "include"}
	DLocation            = Name{NSDAV, "location"}
	DLockEntry           = Name{NSDAV, "lockentry"}
	DLockInfo            = Name{NSDAV, "lockinfo"}
	DLockRoot            = Name{NSDAV, "lockroot"}
	DLockScope           = Name{NSDAV, "lockscope"}
	DLockToken           = Name{NSDAV, "locktoken"}
	DLockType            = Name{NSDAV, "locktype"}
	DMultistatus         = Name{NSDAV, "multistatus"}
	DOwner               = Name{NSDAV, "owner"}
	DProp                = Name{NSDAV, "prop"}
	DPropertyUpdate      = Name{NSDAV, "propertyupdate"}
	DPropFind            = Name{NSDAV, "propfind"}
	DPropName            = Name{NSDAV, "propname"}
	DPropstat            = Name{NSDAV, "propstat"}
	DRemove              = Name{NSDAV, "remove"}
	DResponse            = Name{NSDAV, "response"}
	DResponseDescription = Name{NSDAV, "responsedescription"}
	DSet                 = Name{NSDAV, "set"}
	DShared              = Name{NSDAV, "shared"}
	DStatus              = Name{NSDAV, "status"}
	DTimeout             = Name{NSDAV, "timeout"}
	DWrite               = Name{NSDAV, "write"}

	// RFC 4918, section 15: live properties.
	DCreationDate       = Name{NSDAV, "creationdate"}
	DDisplayName        = Name{NSDAV, "displayname"}
	DGetContentLanguage = Name{NSDAV, "getcontentlanguage"}
	DGetContentLength   = Name{NSDAV, "getcontentlength"}
	DGetContentType     = Name{NSDAV, "getcontenttype"}
	DGetETag            = Name{NSDAV, "getetag"}
	DGetLastModified    = Name{NSDAV, "getlastmodified"}
	DLockDiscovery      = Name{NSDAV, "lockdiscovery"}
	DResourceType       = Name{NSDAV, "resourcetype"}
	DSupportedLock      = Name{NSDAV, "supportedlock"}

	// RFC 4918, section 16: conditions.
	DLockTokenMatchesRequestUri    = Name{NSDAV, "lock-token-matches-request-uri"}
	DLockTokenSubmitted            = Name{NSDAV, "lock-token-submitted"}
	DNoConflictingLock             = Name{NSDAV, "no-conflicting-lock"}
	DNoExternalEntities            = Name{NSDAV, "no-external-entities"}
	DPreservedLiveProperties       = Name{NSDAV, "preserved-live-properties"}
	DPropfindFiniteDepth           = Name{NSDAV, "propfind-finite-depth"}
	DCannotModifyProtectedProperty = Name{NSDAV, "cannot-modify-protected-property"}

	// RFC 3744: principals, privileges, access.
	DPrincipal                   = Name{NSDAV, "principal"}
	DAlternateURISet             = Name{NSDAV, "alternate-URI-set"}
	DPrincipalURL                = Name{NSDAV, "principal-URL"}
	DGroupMemberSet              = Name{NSDAV, "group-member-set"}
	DGroupMembership             = Name{NSDAV, "group-membership"}
	DGroup                       = Name{NSDAV, "group"}
	DSupportedPrivilegeSet       = Name{NSDAV, "supported-privilege-set"}
	DSupportedPrivilege          = Name{NSDAV, "supported-privilege"}
	DCurrentUserPrivilegeSet     = Name{NSDAV, "current-user-privilege-set"}
	DPrivilege                   = Name{NSDAV, "privilege"}
	DAbstract                    = Name{NSDAV, "abstract"}
	DDescription                 = Name{NSDAV, "description"}
	DACL                         = Name{NSDAV, "acl"}
	DACE                         = Name{NSDAV, "ace"}
	DGrant                       = Name{NSDAV, "grant"}
	DDeny                        = Name{NSDAV, "deny"}
	DProtected                   = Name{NSDAV, "protected"}
	DInherited                   = Name{NSDAV, "inherited"}
	DInvert                      = Name{NSDAV, "invert"}
	DProperty                    = Name{NSDAV, "property"}
	DAll                         = Name{NSDAV, "all"}
	DAuthenticated               = Name{NSDAV, "authenticated"}
	DUnauthenticated             = Name{NSDAV, "unauthenticated"}
	DSelf                        = Name{NSDAV, "self"}
	DACLRestrictions             = Name{NSDAV, "acl-restrictions"}
	DInheritedACLSet             = Name{NSDAV, "inherited-acl-set"}
	DPrincipalCollectionSet      = Name{NSDAV, "principal-collection-set"}
	DRead                        = Name{NSDAV, "read"}
	DWriteProperties             = Name{NSDAV, "write-properties"}
	DWriteContent                = Name{NSDAV, "write-content"}
	DUnlock                      = Name{NSDAV, "unlock"}
	DReadACL                     = Name{NSDAV, "read-acl"}
	DReadCurrentUserPrivilegeSet = Name{NSDAV, "read-current-user-privilege-set"}
	DWriteACL                    = Name{NSDAV, "write-acl"}
	DBind                        = Name{NSDAV, "bind"}
	DUnbind                      = Name{NSDAV, "unbind"}
	DNeedPrivileges              = Name{NSDAV, "need-privileges"}
	DResource                    = Name{NSDAV, "resource"}
	DNoACEConflict               = Name{NSDAV, "no-ace-conflict"}
	DRecognizedPrincipal         = Name{NSDAV, "recognized-principal"}
	DAllowedPrincipal            = Name{NSDAV, "allowed-principal"}

	// RFC 3744, section 9: reports.
	DACLPrincipalPropSet           = Name{NSDAV, "acl-principal-prop-set"}
	DPrincipalMatch                = Name{NSDAV, "principal-match"}
	DPrincipalProperty             = Name{NSDAV, "principal-property"}
	DPrincipalPropertySearch       = Name{NSDAV, "principal-property-search"}
	DPropertySearch                = Name{NSDAV, "property-search"}
	DMatch                         = Name{NSDAV, "match"}
	DApplyToPrincipalCollectionSet = Name{NSDAV, "apply-to-principal-collection-set"}
	DPrincipalSearchPropertySet    = Name{NSDAV, "principal-search-property-set"}
	DPrincipalSearchProperty       = Name{NSDAV, "principal-search-property"}
	DNumberOfMatchesWithinLimits   = Name{NSDAV, "number-of-matches-within-limits"}

	// RFC 3253: reports.
	DExpandProperty     = Name{NSDAV, "expand-property"}
	DSupportedReportSet = Name{NSDAV, "supported-report-set"}
	DSupportedReport    = Name{NSDAV, "supported-report"}
	DReport             = Name{NSDAV, "report"}

	// RFC 4331: quota.
	DQuotaAvailableBytes = Name{NSDAV, "quota-available-bytes"}
	DQuotaUsedBytes      = Name{NSDAV, "quota-used-bytes"}
	DQuotaNotExceeded    = Name{NSDAV, "quota-not-exceeded"}
	DSufficientDiskSpace = Name{NSDAV, "sufficient-disk-space"}

	// RFC 5397, 5689, 5842, 5995.
	DCurrentUserPrincipal  = Name{NSDAV, "current-user-principal"}
	DMkCol                 = Name{NSDAV, "mkcol"}
	DMkColResponse         = Name{NSDAV, "mkcol-response"}
	DValidResourceType     = Name{NSDAV, "valid-resourcetype"}
	DResourceMustBeNull    = Name{NSDAV, "resource-must-be-null"}
	DResourceID            = Name{NSDAV, "resource-id"}
	DAddMember             = Name{NSDAV, "add-member"}
	DAllowClientDefinedURI = Name{NSDAV, "allow-client-defined-URI"}

	// RFC 5323, 6578: limits and synchronisation.
	DLimit                  = Name{NSDAV, "limit"}
	DNResults               = Name{NSDAV, "nresults"}
	DSyncCollection         = Name{NSDAV, "sync-collection"}
	DSyncLevel              = Name{NSDAV, "sync-level"}
	DSyncToken              = Name{NSDAV, "sync-token"}
	DValidSyncToken         = Name{NSDAV, "valid-sync-token"}
	DSyncTraversalSupported = Name{NSDAV, "sync-traversal-supported"}

	// RFC 6352: collections, properties, reports.
	CRAddressbook            = Name{NSCardDAV, "addressbook"}
	CRAddressbookDescription = Name{NSCardDAV, "addressbook-description"}
	CRAddressbookHomeSet     = Name{NSCardDAV, "addressbook-home-set"}
	CRAddressbookMultiget    = Name{NSCardDAV, "addressbook-multiget"}
	CRAddressbookQuery       = Name{NSCardDAV, "addressbook-query"}
	CRAddressData            = Name{NSCardDAV, "address-data"}
	CRAddressDataType        = Name{NSCardDAV, "address-data-type"}
	CRDirectoryGateway       = Name{NSCardDAV, "directory-gateway"}
	CRPrincipalAddress       = Name{NSCardDAV, "principal-address"}
	CRSupportedAddressData   = Name{NSCardDAV, "supported-address-data"}
	CRSupportedCollation     = Name{NSCardDAV, "supported-collation"}
	CRSupportedCollationSet  = Name{NSCardDAV, "supported-collation-set"}
	CRMaxResourceSize        = Name{NSCardDAV, "max-resource-size"}
	CRMaxImageSize           = Name{NSCardDAV, "max-image-size"}

	// RFC 6352, section 10.5: what stands in a report.
	CRAllProp      = Name{NSCardDAV, "allprop"}
	CRProp         = Name{NSCardDAV, "prop"}
	CRFilter       = Name{NSCardDAV, "filter"}
	CRPropFilter   = Name{NSCardDAV, "prop-filter"}
	CRParamFilter  = Name{NSCardDAV, "param-filter"}
	CRIsNotDefined = Name{NSCardDAV, "is-not-defined"}
	CRTextMatch    = Name{NSCardDAV, "text-match"}
	CRLimit        = Name{NSCardDAV, "limit"}
	CRNResults     = Name{NSCardDAV, "nresults"}

	// RFC 6352: conditions.
	CRAddressbookCollectionLocationOk = Name{NSCardDAV, "addressbook-collection-location-ok"}
	CRNoUIDConflict                   = Name{NSCardDAV, "no-uid-conflict"}
	CRSupportedAddressDataConversion  = Name{NSCardDAV, "supported-address-data-conversion"}
	CRSupportedFilter                 = Name{NSCardDAV, "supported-filter"}
	CRValidAddressData                = Name{NSCardDAV, "valid-address-data"}

	// RFC 4791: collections, properties, reports.
	CCalendar                       = Name{NSCalDAV, "calendar"}
	CCalendarData                   = Name{NSCalDAV, "calendar-data"}
	CCalendarDescription            = Name{NSCalDAV, "calendar-description"}
	CCalendarHomeSet                = Name{NSCalDAV, "calendar-home-set"}
	CCalendarMultiget               = Name{NSCalDAV, "calendar-multiget"}
	CCalendarQuery                  = Name{NSCalDAV, "calendar-query"}
	CCalendarTimezone               = Name{NSCalDAV, "calendar-timezone"}
	CCalendarTimezoneID             = Name{NSCalDAV, "calendar-timezone-id"}
	CComp                           = Name{NSCalDAV, "comp"}
	CCompFilter                     = Name{NSCalDAV, "comp-filter"}
	CExpand                         = Name{NSCalDAV, "expand"}
	CFilter                         = Name{NSCalDAV, "filter"}
	CFreeBusyQuery                  = Name{NSCalDAV, "free-busy-query"}
	CIsNotDefined                   = Name{NSCalDAV, "is-not-defined"}
	CLimitFreebusySet               = Name{NSCalDAV, "limit-freebusy-set"}
	CLimitRecurrenceSet             = Name{NSCalDAV, "limit-recurrence-set"}
	CMaxAttendeesPerInstance        = Name{NSCalDAV, "max-attendees-per-instance"}
	CMaxDateTime                    = Name{NSCalDAV, "max-date-time"}
	CMaxInstances                   = Name{NSCalDAV, "max-instances"}
	CMaxResourceSize                = Name{NSCalDAV, "max-resource-size"}
	CMinDateTime                    = Name{NSCalDAV, "min-date-time"}
	CMkCalendar                     = Name{NSCalDAV, "mkcalendar"}
	CMkCalendarResponse             = Name{NSCalDAV, "mkcalendar-response"}
	CParamFilter                    = Name{NSCalDAV, "param-filter"}
	CProp                           = Name{NSCalDAV, "prop"}
	CPropFilter                     = Name{NSCalDAV, "prop-filter"}
	CReadFreeBusy                   = Name{NSCalDAV, "read-free-busy"}
	CSupportedCalendarComponentSet  = Name{NSCalDAV, "supported-calendar-component-set"}
	CSupportedCalendarComponentSets = Name{NSCalDAV, "supported-calendar-component-sets"}
	CSupportedCalendarData          = Name{NSCalDAV, "supported-calendar-data"}
	CSupportedCollation             = Name{NSCalDAV, "supported-collation"}
	CSupportedCollationSet          = Name{NSCalDAV, "supported-collation-set"}
	CTextMatch                      = Name{NSCalDAV, "text-match"}
	CTimeRange                      = Name{NSCalDAV, "time-range"}
	CTimezone                       = Name{NSCalDAV, "timezone"}

	CAllComp    = Name{NSCalDAV, "allcomp"}
	CAllProp    = Name{NSCalDAV, "allprop"}
	CLimit      = Name{NSCalDAV, "limit"}
	CNResults   = Name{NSCalDAV, "nresults"}
	CTimezoneID = Name{NSCalDAV, "timezone-id"}

	// RFC 4791 and 7809: conditions.
	CCalendarCollectionLocationOk = Name{NSCalDAV, "calendar-collection-location-ok"}
	CNoUIDConflict                = Name{NSCalDAV, "no-uid-conflict"}
	CSupportedCalendarComponent   = Name{NSCalDAV, "supported-calendar-component"}
	CSupportedFilter              = Name{NSCalDAV, "supported-filter"}
	CValidCalendarData            = Name{NSCalDAV, "valid-calendar-data"}
	CValidCalendarObjectResource  = Name{NSCalDAV, "valid-calendar-object-resource"}
	CValidFilter                  = Name{NSCalDAV, "valid-filter"}
	CInitializeCalendarCollection = Name{NSCalDAV, "initialize-calendar-collection"}
	CValidTimezone                = Name{NSCalDAV, "valid-timezone"}

	// RFC 6638: scheduling.
	CCalendarUserAddressSet     = Name{NSCalDAV, "calendar-user-address-set"}
	CCalendarUserType           = Name{NSCalDAV, "calendar-user-type"}
	CScheduleCalendarTransp     = Name{NSCalDAV, "schedule-calendar-transp"}
	CScheduleDefaultCalendarURL = Name{NSCalDAV, "schedule-default-calendar-URL"}
	CScheduleInbox              = Name{NSCalDAV, "schedule-inbox"}
	CScheduleInboxURL           = Name{NSCalDAV, "schedule-inbox-URL"}
	CScheduleOutbox             = Name{NSCalDAV, "schedule-outbox"}
	CScheduleOutboxURL          = Name{NSCalDAV, "schedule-outbox-URL"}
	CScheduleTag                = Name{NSCalDAV, "schedule-tag"}
	CCalendarAvailability       = Name{NSCalDAV, "calendar-availability"}
	COpaque                     = Name{NSCalDAV, "opaque"}
	CTransparent                = Name{NSCalDAV, "transparent"}

	// Apple, calendarserver.org.
	CSCalendarAvailability  = Name{NSCalendarServer, "calendar-availability"}
	CSGetCTag               = Name{NSCalendarServer, "getctag"}
	CSEmailAddressSet       = Name{NSCalendarServer, "email-address-set"}
	CSMeCard                = Name{NSCalendarServer, "me-card"}
	CSSource                = Name{NSCalendarServer, "source"}
	CSSubscribed            = Name{NSCalendarServer, "subscribed"}
	CSPushTransports        = Name{NSCalendarServer, "push-transports"}
	CSPushKey               = Name{NSCalendarServer, "pushkey"}
	CSCalendarProxyReadFor  = Name{NSCalendarServer, "calendar-proxy-read-for"}
	CSCalendarProxyWriteFor = Name{NSCalendarServer, "calendar-proxy-write-for"}
	CSShared                = Name{NSCalendarServer, "shared"}
	CSSharedOwner           = Name{NSCalendarServer, "shared-owner"}
	CSInvite                = Name{NSCalendarServer, "invite"}
	CSAllowedSharingModes   = Name{NSCalendarServer, "allowed-sharing-modes"}

	// Apple, iCal.
	ACalendarColor = Name{NSApple, "calendar-color"}
	ACalendarOrder = Name{NSApple, "calendar-order"}
)
